/* Holding the whole program: stops that others ask for, threads at rest, forks, and locks at the
 * end of the process; see cycle.h.
 */
#include "cycle/colours.h"
#include "cycle/conduct.h"
#include "cycle/credit.h"
#include "cycle/relax.h"
#include "cycle/steps.h"
#include "cycle/worker.h"
#include "heap/layout.h"
#include "heap/metadata.h"
#include "heap/pages.h"
#include "heap/shape.h"
#include "heap/span.h"
#include "mark/jobs.h"
#include "mark/queue.h"
#include "os/clock.h"
#include "os/options.h"
#include "thread/thread.h"
#include "thread/world.h"

enum {
    STOP_TRIES = 100,
    LOCK_PATIENCE = 500,    /* milliseconds for a lock that others hold for moments */
    STOP_BUDGET_SHARE = 16, /* that the budget of a stop grows by from try to try */
    STOP_NAP = 5000000,     /* nanoseconds between two tries */
    REST_NAP = 20000,       /* nanoseconds between two looks whether a thread rests */
    REST_NAPS = 1000
};

/* All that a thread of the program's may hold on its own stack, where a signal may find it. */
static void take_locks(void) {
    lock_take(&steps_lock);
    if (cycle_hooks.lock)
        cycle_hooks.lock();
    colours_lock_heap();
    shape_lock();
}

static void give_locks(void) {
    shape_unlock();
    colours_unlock_heap();
    if (cycle_hooks.unlock)
        cycle_hooks.unlock();
    lock_give(&steps_lock);
}

static bool is_free(struct lock *lock) {
    if (!lock_take_within(lock, LOCK_PATIENCE))
        return false;
    lock_give(lock);
    return true;
}

bool cycle_may_lock(void) {
    bool free = is_free(&thread_registry_lock) && pages_may_lock(LOCK_PATIENCE);
    for (unsigned class = 0; class < SPAN_CLASSES && free; class ++)
        free = is_free(&span_sets[class].lock);
    return free;
}

static bool stopped_world;

void cycle_stop_world(void) {
    long long budget = (long long)options.stop_budget * 1000000;
    long long most = (long long)options.stop_timeout * 1000000;
    take_locks();
    thread_self->stack_pointer = (uintptr_t)__builtin_frame_address(0);
    world_freeze(thread_self, NULL);
    stopped_world = world_stop(budget) == WORLD_STOPPED;
    for (int tries = 1; !stopped_world && tries < STOP_TRIES; tries++) {
        clock_nap(STOP_NAP);
        budget += budget < most ? budget / STOP_BUDGET_SHARE : 0;
        stopped_world = world_stop(budget) == WORLD_STOPPED;
    }
}

void cycle_start_world(void) {
    if (stopped_world)
        world_start();
    world_thaw(thread_self);
    give_locks();
}

/* Waits for a thread that was told to rest, but not for ever: it may block our signal. */
static bool comes_to_rest(const struct thread *thread) {
    for (int naps = 0; naps < REST_NAPS; naps++) {
        if (world_is_suspended(thread))
            return true;
        if (thread_state(thread) == THREAD_GONE)
            return false;
        clock_nap(REST_NAP);
    }
    return false;
}

/* With all locks, so that the thread has none of them when it rests; should it not come to rest,
 * it is let go before they are given, because it may take one then. */
static bool suspend_locked(struct thread *thread) {
    world_suspend(thread);
    if (comes_to_rest(thread))
        return true;
    world_resume(thread);
    return false;
}

bool cycle_suspend(uintptr_t handle) {
    bool resting = false, known = true;
    if (handle == thread_current()->handle) {
        world_suspend(thread_self);
        return true;
    }
    for (int tries = 0; known && !resting && tries < STOP_TRIES; tries++) {
        take_locks();
        struct thread *thread = thread_by_handle(handle);
        known = thread != NULL;
        resting = known && (world_is_suspended(thread) || suspend_locked(thread));
        give_locks();
        if (!resting)
            clock_nap(STOP_NAP);
    }
    return resting;
}

/* A started heap needs no lock to be found started, so the child cannot meet one held. */
void cycle_before_fork(void) {
    heap_start();
    relax_fork();
    take_locks();
    queue_lock();
    jobs_lock();
    credit_lock();
    metadata_lock();
}

void cycle_after_fork(bool child) {
    metadata_unlock();
    credit_unlock();
    jobs_unlock();
    queue_unlock();
    if (child) {
        thread_own_process();
        steps_requested = false;
        AO_int_store(&steps_wanted, 0);
        worker_after_fork();
        credit_after_fork();
        conduct_after_fork();
        thread_after_fork();
        world_after_fork();
    }
    give_locks();
}
