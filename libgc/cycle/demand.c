/* Collecting because somebody asked for it, and waiting for the end of a cycle; see cycle.h. */
#include "cycle/assist.h"
#include "cycle/conduct.h"
#include "cycle/pace.h"
#include "cycle/patience.h"
#include "cycle/phase.h"
#include "cycle/steps.h"
#include "cycle/turns.h"
#include "heap/sweep.h"
#include "mark/queue.h"
#include "os/clock.h"
#include "os/dirty.h"
#include "os/maps.h"
#include "os/tasks.h"
#include "thread/thread.h"
#include "thread/world.h"

enum {
    HELP_QUOTA = 4 << 20, /* by a thread that waits for a cycle, between two looks for signals */
    HELP_NAP = 200000,    /* nanoseconds, when only others have work */
    END_NAPS = 5000       /* of these, when cycles end for good */
};

struct look {
    void (*function)(void *context);
    void *context;
    bool done;
};

static void look_at_maps(struct thread *thread) {
    struct look *look = thread->look;
    lock_take(&steps_lock);
    if (phase_now() == PHASE_OFF)
        maps_open();
    look->done = maps_are_open();
    if (look->done)
        look->function(look->context);
    lock_give(&steps_lock);
}

bool cycle_with_maps(void (*function)(void *context), void *context) {
    if (!steps_are_possible())
        return false;
    thread_ensure_altstack();
    struct look look = {function, context, false};
    thread_self->look = &look;
    bool looked = assist_run_frozen(thread_self, look_at_maps) && look.done;
    thread_self->look = NULL;
    return looked;
}

/* One piece of whatever brings the cycle that the thread waits for nearer. */
static void help(struct thread *thread) {
    enum phase phase = phase_now();
    if (!patience_is_due()) {
        clock_nap(HELP_NAP);
    } else if (phase == PHASE_OFF && conduct_ended() < thread->awaited) {
        steps_begin_awaited(thread);
    } else if (phase == PHASE_COMPLETE) {
        steps_advance(thread);
    } else if (assist_mark(thread, HELP_QUOTA) == 0 && thread->param == NULL) {
        unsigned announcement = queue_announce(CREW_BESIDE);
        queue_sleep(CREW_BESIDE, announcement, HELP_NAP);
    }
    if (thread->param)
        steps_advance(thread);
    thread->param = NULL;
}

/* Waits for the end of a cycle by working on it. */
static bool await(struct thread *thread, unsigned cycle, int (*stop)(void)) {
    thread->awaited = cycle;
    while (conduct_ended() < cycle)
        if (!steps_enabled || stop() || !assist_run_frozen(thread, help))
            return false;
    return true;
}

static void make_ready(struct thread *thread) {
    thread_ensure_altstack();
    assist_run_frozen(thread, turns_prepare);
}

bool cycle_collect_unless(int (*stop)(void)) {
    if (!steps_are_possible() || stop())
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
    turns_prepare(thread);
    while (conduct_ended() < thread->awaited && steps_enabled)
        help(thread);
}

bool cycle_collect_on(uintptr_t top, struct assist_live live) {
    if (!steps_are_possible())
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
    AO_int_store(&steps_wanted, number);
    queue_stir(CREW_BESIDE);
    return number;
}

bool cycle_has_ended(unsigned number) { return conduct_ended() >= number; }
bool cycle_was_cancelled(unsigned number) { return conduct_was_cancelled(number); }

void cycle_prepare(void) {
    if (!steps_are_possible())
        return;
    thread_ensure_altstack();
    assist_run_frozen(thread_self, turns_prepare_whole);
}

void cycle_start(void) {
    if (!steps_are_possible() || phase_now() != PHASE_OFF)
        return;
    struct thread *thread = thread_self;
    make_ready(thread);
    thread->awaited = conduct_begun() + 1;
    assist_run_frozen(thread, help);
}

bool cycle_help(void) {
    if (!steps_are_possible() || phase_now() == PHASE_OFF)
        return false;
    thread_self->awaited = conduct_begun();
    assist_run_frozen(thread_self, help);
    return phase_now() != PHASE_OFF;
}

void cycle_while_idle(void (*function)(void *context), void *context) {
    for (;;) {
        if (steps_are_possible() && phase_now() != PHASE_OFF)
            await(thread_self, conduct_begun(), never);
        lock_take(&steps_lock);
        bool idle = phase_now() == PHASE_OFF || !steps_are_possible();
        if (idle)
            function(context);
        lock_give(&steps_lock);
        if (idle)
            return;
    }
}

static void disable(void *unused) {
    (void)unused;
    steps_enabled = false;
    maps_after_fork();
    tasks_after_fork();
    dirty_after_fork();
    thread_end_stops();
}

static bool is_another_frozen(void) {
    bool found = false;
    lock_take(&thread_registry_lock);
    for (struct thread *thread = thread_first(); thread && !found; thread = thread->next)
        found = thread != thread_self && thread_state(thread) == THREAD_FROZEN &&
                !world_is_suspended(thread);
    lock_give(&thread_registry_lock);
    return found;
}

/* A thread that is frozen may have begun something for a cycle before it could see that there are
 * none any more. Nothing of that takes long. */
void cycle_disable(void) {
    cycle_while_idle(disable, NULL);
    AO_nop_full(); /* pairs with that of freezing, which comes before the look at steps_enabled */
    for (int naps = 0; naps < END_NAPS && is_another_frozen(); naps++)
        clock_nap(HELP_NAP);
}
