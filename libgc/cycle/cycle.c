/* When cycles begin, who conducts their steps, and what the rest of the house asks for; see
 * cycle.h. */
#include "cycle/cycle.h"

#include "cycle/assist.h"
#include "cycle/colours.h"
#include "cycle/conduct.h"
#include "cycle/credit.h"
#include "cycle/pace.h"
#include "cycle/patience.h"
#include "cycle/phase.h"
#include "cycle/relax.h"
#include "cycle/worker.h"
#include "heap/layout.h"
#include "heap/metadata.h"
#include "heap/pages.h"
#include "heap/quarantine.h"
#include "heap/shape.h"
#include "heap/sweep.h"
#include "mark/drain.h"
#include "mark/jobs.h"
#include "mark/queue.h"
#include "os/clock.h"
#include "os/dirty.h"
#include "os/limits.h"
#include "os/log.h"
#include "os/maps.h"
#include "os/options.h"
#include "os/permitted.h"
#include "os/processors.h"
#include "os/tasks.h"
#include "thread/thread.h"
#include "thread/world.h"

#include <signal.h>
#include <string.h>

enum {
    WORKER_QUOTA = 256 << 10, /* bytes scanned between two flushes of credit */
    HELP_QUOTA = 4 << 20, /* by a thread that waits for a cycle, between two looks for signals */
    CYCLES_A_LOOK = 8,    /* between two looks at how much memory the process has */
    RETRY_NAP = 1000000,  /* nanoseconds of a worker, until a stop is due again */
    HELP_NAP = 200000,    /* nanoseconds, when only others have work */
    STOP_TRIES = 100,
    LOCK_PATIENCE = 500,    /* milliseconds for a lock that others hold for moments */
    STOP_BUDGET_SHARE = 16, /* that the budget of a stop grows by from try to try */
    STOP_NAP = 5000000,     /* nanoseconds between two tries */
    REST_NAP = 20000,       /* nanoseconds between two looks whether a thread rests */
    REST_NAPS = 1000
};

static struct lock cycle_lock = LOCK_OF(RANK_CYCLE);
static volatile bool enabled;
static volatile bool requested;  /* somebody wants a worker to begin a cycle */
static volatile unsigned wanted; /* the number of a cycle that somebody asked for; any thread */
static bool program_conducts;

void cycle_enable(void) {
    thread_own_process();
    world_asked_hook = assist_asked;
    enabled = options.collect;
    if (enabled)
        processors_note();
    if (strcmp(options.quarantine, "off") == 0)
        return;
    if (enabled)
        quarantine_start(strcmp(options.quarantine, "fill") == 0);
    else
        log_line("TITHE_OPTIONS: quarantine needs collections; ignored");
}

bool cycle_is_ended(void) { return thread_has_ended_stops(); }

/* A thread whose program holds a lock of ours allocates without paying, and does nothing for a
 * cycle, which needs that lock. */
static bool is_possible(void) {
    return enabled && thread_current() != &thread_left && thread_self->program_locks == 0 &&
           thread_in_own_process();
}

/* On a worker's stack, or in the thread self, frozen. What was due may have been done by another
 * one meanwhile; a cycle whose stop was put off comes first. */
static void begin_locked(struct thread *self, enum cycle_trigger trigger) {
    if (!enabled || phase_now() != PHASE_OFF)
        return;
    if (patience_waits())
        conduct_go_on();
    else if (trigger != CYCLE_PACED || pace_due())
        conduct_begin(self, trigger);
}

static void begin(struct thread *self, enum cycle_trigger trigger) {
    lock_take(&cycle_lock);
    begin_locked(self, trigger);
    lock_give(&cycle_lock);
}

/* The same: the round is complete, so somebody has to see to the next step. */
static void advance(struct thread *self) {
    lock_take(&cycle_lock);
    if (patience_is_due() && phase_claim())
        conduct_advance(self);
    lock_give(&cycle_lock);
}

/* Marks a piece. False when there was nothing to do. */
static bool worker_mark(struct marker *marker) {
    if (!phase_enter())
        return false;
    long long start = clock_nanoseconds();
    size_t done = drain(marker, WORKER_QUOTA);
    assist_count_marked(marker);
    pace_work_done(done);
    credit_flush(done);
    credit_call_first();
    bool completed = phase_leave();
    pace_time_spent(clock_nanoseconds() - start, false);
    if (completed && !program_conducts)
        advance(NULL);
    return completed || done > 0;
}

/* The same in the stop, whose conductor sees to what follows. As long as all there is to do follows
 * from what one marker has in hand, the others only look: entering would slow that one down. */
static bool helper_mark(struct marker *marker) {
    if ((queue_is_empty() && !jobs_are_left()) || !phase_enter())
        return false;
    size_t done = drain(marker, WORKER_QUOTA);
    assist_count_marked(marker);
    pace_work_done(done);
    if (phase_leave())
        queue_stir(CREW_STOPPED);
    return done > 0;
}

static bool is_wanted(void) { return AO_int_load(&wanted) > conduct_begun(); }

/* A stop is to be tried again, also if the program does nothing meanwhile. */
static bool worker_retry(void) {
    if (!patience_is_due())
        clock_nap(RETRY_NAP);
    else if (phase_now() == PHASE_OFF)
        begin(NULL, CYCLE_PACED);
    else
        advance(NULL);
    return true;
}

static bool worker_turn(struct marker *marker) {
    if (worker_mark(marker))
        return true;
    if (patience_waits() && !program_conducts)
        return worker_retry();
    if (program_conducts)
        return phase_now() == PHASE_OFF && (relax_some() || sweep_some());
    if (phase_now() == PHASE_COMPLETE) {
        advance(NULL);
        return true;
    }
    if (requested) {
        requested = false;
        begin(NULL, CYCLE_PACED);
        return true;
    }
    if (is_wanted() && phase_now() == PHASE_OFF) {
        begin(NULL, CYCLE_FORCED);
        return true;
    }
    return phase_now() == PHASE_OFF && (relax_some() || sweep_some());
}

void cycle_conduct_in_program(void) { program_conducts = true; }

void cycle_set_hooks(struct cycle_hooks hooks) {
    lock_take(&cycle_lock);
    cycle_hooks = hooks;
    lock_give(&cycle_lock);
}

static void begin_paced(struct thread *thread) { begin(thread, CYCLE_PACED); }

/* What only a thread of the program's should do, before a cycle begins: open files, learn limits,
 * make workers. Frozen, because it waits for locks with all signals blocked. Where a file cannot be
 * had the cycle will notice. */
static void prepare(struct thread *thread) {
    (void)thread;
    lock_take(&cycle_lock);
    if (phase_now() == PHASE_OFF) {
        permitted_find_out();
        maps_open();
        dirty_open();
        tasks_open();
    }
    lock_give(&cycle_lock);
    pace_look();
    relax_prepare();
    if (pace_is_small() && conduct_begun() % CYCLES_A_LOOK == 0)
        pace_note_process(limits_resident(), thread_count_of_program());
    if (pace_wants_workers())
        worker_start((struct worker_turns){worker_turn, helper_mark});
}

struct look {
    void (*function)(void *context);
    void *context;
    bool done;
};

static void look_at_maps(struct thread *thread) {
    struct look *look = thread->look;
    lock_take(&cycle_lock);
    if (phase_now() == PHASE_OFF)
        maps_open();
    look->done = maps_are_open();
    if (look->done)
        look->function(look->context);
    lock_give(&cycle_lock);
}

bool cycle_with_maps(void (*function)(void *context), void *context) {
    if (!is_possible())
        return false;
    thread_ensure_altstack();
    struct look look = {function, context, false};
    thread_self->look = &look;
    bool looked = assist_run_frozen(thread_self, look_at_maps) && look.done;
    thread_self->look = NULL;
    return looked;
}

static void prepare_whole(struct thread *thread) {
    prepare(thread);
    worker_start((struct worker_turns){worker_turn, helper_mark});
}

/* Somebody may be just beginning the cycle, which takes long with a large heap: protecting its
 * pages is most of it. As long as there is room, the program goes on meanwhile. */
static bool is_being_begun(void) { return lock_is_held(&cycle_lock) && pace_has_room(); }

/* A cycle is due. A worker begins it, unless it keeps us waiting for too long. */
static void request(void) {
    bool waits = requested && worker_count() > 0 && !pace_overdue();
    if (waits || is_being_begun() || !is_possible())
        return;
    if (worker_count() == 0)
        requested = false; /* they were dismissed */
    if (!requested) {
        assist_run_frozen(thread_self, prepare);
        requested = worker_count() > 0 && !program_conducts;
        queue_stir(CREW_BESIDE);
    }
    if (!requested || pace_overdue())
        assist_run_frozen(thread_self, begin_paced);
}

static void begin_wanted(struct thread *thread) { begin(thread, CYCLE_FORCED); }

/* Somebody asked for a cycle: what workers may lack is made good, and if there are none, it begins.
 */
static void serve_request(void) {
    if (!is_possible())
        return;
    assist_run_frozen(thread_self, prepare);
    if (worker_count() == 0 || program_conducts)
        assist_run_frozen(thread_self, begin_wanted);
    else
        queue_stir(CREW_BESIDE);
}

/* A thread gets its signal stack when a stop is near, so that programs which never get there keep
 * the signal stack they were born with, which is none. What the kernel has is looked at again in
 * each cycle, because a bare system call may have changed it. */
static void prepare_for_stop(void) {
    struct thread *thread = thread_self;
    bool near = AO_load(&heap.live) >= pace_trigger() / 2 || options.gc_every > 0 || is_wanted();
    unsigned now = conduct_begun() + 1;
    if (thread->altstack_asked == now || !near || !thread_in_own_process())
        return;
    thread->altstack_asked = now;
    thread_ensure_altstack();
}

static bool is_allowed(void) {
    return (cycle_hooks.allowed == NULL || cycle_hooks.allowed(CYCLE_PACED)) &&
           (cycle_watcher.allowed == NULL || cycle_watcher.allowed());
}

static void relax_piece(struct thread *thread) {
    (void)thread;
    relax_share();
}

void cycle_poll(size_t bytes) {
    if (!enabled || __builtin_expect(thread_self->program_locks, 0))
        return;
    if (__builtin_expect(pace_wants_look(bytes), 0) && thread_in_own_process())
        pace_look();
    prepare_for_stop();
    if (!patience_is_due())
        return;
    if (!AO_char_load(&heap.marking)) {
        if (__builtin_expect(is_wanted(), 0))
            serve_request();
        else if (pace_due_for(bytes) && is_allowed())
            request();
        else if (relax_is_due(bytes) && thread_in_own_process())
            assist_run_frozen(thread_self, relax_piece);
        /* Where memory is short, what died in one size must not wait until that size is wanted. */
        if (__builtin_expect(sweep_is_left(), 0) && pace_is_limited())
            sweep_some();
        return;
    }
    struct thread *thread = thread_self;
    bool completed = assist_charge(thread, bytes);
    if (completed)
        conduct_count_completion();
    if ((completed || phase_now() == PHASE_COMPLETE) && thread_in_own_process())
        assist_run_frozen(thread, advance);
}

static void begin_awaited(struct thread *thread) {
    lock_take(&cycle_lock);
    if (conduct_ended() < thread->awaited)
        begin_locked(thread, CYCLE_FORCED);
    lock_give(&cycle_lock);
}

/* One piece of whatever brings the cycle that the thread waits for nearer. */
static void help(struct thread *thread) {
    enum phase phase = phase_now();
    if (!patience_is_due()) {
        clock_nap(HELP_NAP);
    } else if (phase == PHASE_OFF && conduct_ended() < thread->awaited) {
        begin_awaited(thread);
    } else if (phase == PHASE_COMPLETE) {
        advance(thread);
    } else if (assist_mark(thread, HELP_QUOTA) == 0 && thread->param == NULL) {
        unsigned announcement = queue_announce(CREW_BESIDE);
        queue_sleep(CREW_BESIDE, announcement, HELP_NAP);
    }
    if (thread->param)
        advance(thread);
    thread->param = NULL;
}

/* Waits for the end of a cycle by working on it. */
static bool await(struct thread *thread, unsigned cycle, int (*stop)(void)) {
    thread->awaited = cycle;
    while (conduct_ended() < cycle)
        if (!enabled || stop() || !assist_run_frozen(thread, help))
            return false;
    return true;
}

static void make_ready(struct thread *thread) {
    thread_ensure_altstack();
    assist_run_frozen(thread, prepare);
}

bool cycle_collect_unless(int (*stop)(void)) {
    if (!is_possible() || stop())
        return false;
    struct thread *thread = thread_self;
    make_ready(thread);
    unsigned wanted = conduct_begun() + 1;
    if (!await(thread, wanted, stop) || conduct_was_cancelled(wanted))
        return false;
    sweep_finish();
    return true;
}

static int never(void) { return 0; }

static bool is_forbidden(void) {
    return cycle_hooks.allowed && !cycle_hooks.allowed(CYCLE_OUT_OF_MEMORY);
}

bool cycle_collect(enum cycle_trigger trigger) {
    if ((trigger == CYCLE_PACED && !pace_due()) ||
        (trigger == CYCLE_OUT_OF_MEMORY && is_forbidden()))
        return false;
    return cycle_collect_unless(never);
}

static void collect_frozen(struct thread *thread) {
    prepare(thread);
    while (conduct_ended() < thread->awaited && enabled)
        help(thread);
}

bool cycle_collect_on(uintptr_t top, struct assist_live live) {
    if (!is_possible())
        return false;
    unsigned number = conduct_begun() + 1;
    thread_self->awaited = number;
    assist_run_frozen_on(thread_self, top, live, collect_frozen);
    if (conduct_ended() < number || conduct_was_cancelled(number))
        return false;
    sweep_finish();
    return true;
}

unsigned cycle_request(void) {
    unsigned number = conduct_begun() + 1;
    AO_int_store(&wanted, number);
    queue_stir(CREW_BESIDE);
    return number;
}

bool cycle_has_ended(unsigned number) { return conduct_ended() >= number; }
bool cycle_was_cancelled(unsigned number) { return conduct_was_cancelled(number); }

void cycle_prepare(void) {
    if (!is_possible())
        return;
    thread_ensure_altstack();
    assist_run_frozen(thread_self, prepare_whole);
}

void cycle_start(void) {
    if (!is_possible() || phase_now() != PHASE_OFF)
        return;
    struct thread *thread = thread_self;
    make_ready(thread);
    thread->awaited = conduct_begun() + 1;
    assist_run_frozen(thread, help);
}

bool cycle_help(void) {
    if (!is_possible() || phase_now() == PHASE_OFF)
        return false;
    thread_self->awaited = conduct_begun();
    assist_run_frozen(thread_self, help);
    return phase_now() != PHASE_OFF;
}

void cycle_disable(void) {
    if (is_possible() && phase_now() != PHASE_OFF)
        await(thread_self, conduct_begun(), never);
    lock_take(&cycle_lock);
    enabled = false;
    maps_after_fork();
    tasks_after_fork();
    dirty_after_fork();
    thread_end_stops();
    lock_give(&cycle_lock);
}

void cycle_while_idle(void (*function)(void *context), void *context) {
    for (;;) {
        if (is_possible() && phase_now() != PHASE_OFF)
            await(thread_self, conduct_begun(), never);
        lock_take(&cycle_lock);
        bool idle = phase_now() == PHASE_OFF || !is_possible();
        if (idle)
            function(context);
        lock_give(&cycle_lock);
        if (idle)
            return;
    }
}

/* All that a thread of the program's may hold on its own stack, where a signal may find it. */
static void take_locks(void) {
    lock_take(&cycle_lock);
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
    lock_give(&cycle_lock);
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
        requested = false;
        AO_int_store(&wanted, 0);
        worker_after_fork();
        credit_after_fork();
        conduct_after_fork();
        thread_after_fork();
        world_after_fork();
    }
    give_locks();
}
