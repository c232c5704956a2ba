/* When a cycle is due, and what an allocating thread does for it; see cycle.h. */
#include "cycle/cycle.h"

#include "cycle/assist.h"
#include "cycle/conduct.h"
#include "cycle/pace.h"
#include "cycle/patience.h"
#include "cycle/phase.h"
#include "cycle/relax.h"
#include "cycle/steps.h"
#include "cycle/turns.h"
#include "cycle/worker.h"
#include "heap/layout.h"
#include "heap/quarantine.h"
#include "heap/sweep.h"
#include "mark/queue.h"
#include "os/log.h"
#include "os/options.h"
#include "os/processors.h"
#include "thread/thread.h"
#include "thread/world.h"

#include <string.h>

void cycle_enable(void) {
    thread_own_process();
    world_asked_hook = assist_asked;
    steps_enabled = options.collect;
    if (steps_enabled)
        processors_note();
    if (strcmp(options.quarantine, "off") == 0)
        return;
    if (steps_enabled)
        quarantine_start(strcmp(options.quarantine, "fill") == 0);
    else
        log_line("TITHE_OPTIONS: quarantine needs collections; ignored");
}

void cycle_conduct_in_program(void) { steps_by_program = true; }

bool cycle_is_ended(void) { return thread_has_ended_stops(); }

void cycle_set_hooks(struct cycle_hooks hooks) {
    lock_take(&steps_lock);
    cycle_hooks = hooks;
    lock_give(&steps_lock);
}

/* Somebody may be just beginning the cycle, which takes long with a large heap: protecting its
 * pages is most of it. As long as there is room, the program goes on meanwhile. */
static bool is_being_begun(void) { return lock_is_held(&steps_lock) && pace_has_room(); }

/* A cycle is due. A worker begins it, unless it keeps us waiting for too long. */
static void request(void) {
    bool waits = steps_requested && worker_count() > 0 && !pace_overdue();
    if (waits || is_being_begun() || !steps_are_possible())
        return;
    if (worker_count() == 0)
        steps_requested = false; /* they were dismissed */
    if (!steps_requested) {
        assist_run_frozen(thread_self, turns_prepare);
        steps_requested = worker_count() > 0 && !steps_by_program;
        queue_stir(CREW_BESIDE);
    }
    if (!steps_requested || pace_overdue())
        assist_run_frozen(thread_self, steps_begin_paced);
}

/* Somebody asked for a cycle: what workers may lack is made good, and if there are none, it begins.
 */
static void serve_request(void) {
    if (!steps_are_possible())
        return;
    assist_run_frozen(thread_self, turns_prepare);
    if (worker_count() == 0 || steps_by_program)
        assist_run_frozen(thread_self, steps_begin_wanted);
    else
        queue_stir(CREW_BESIDE);
}

/* A thread gets its signal stack when a stop is near, so that programs which never get there keep
 * the signal stack they were born with, which is none. What the kernel has is looked at again in
 * each cycle, because a bare system call may have changed it. */
static void prepare_for_stop(void) {
    struct thread *thread = thread_self;
    bool near =
        AO_load(&heap.live) >= pace_trigger() / 2 || options.gc_every > 0 || steps_are_wanted();
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
    if (steps_enabled) /* which whoever ends cycles clears before it waits for the frozen */
        relax_share();
}

/* Where somebody has the lock the look is taken next time: on its own stack nobody waits for it. */
static void look(void) {
    if (!lock_try(&steps_lock))
        return;
    if (steps_enabled)
        pace_look();
    lock_give(&steps_lock);
}

void cycle_poll(size_t bytes) {
    if (!steps_enabled || __builtin_expect(thread_self->program_locks, 0))
        return;
    if (__builtin_expect(pace_wants_look(bytes), 0) && thread_in_own_process())
        look();
    prepare_for_stop();
    if (!patience_is_due())
        return;
    if (!AO_char_load(&heap.marking)) {
        if (__builtin_expect(steps_are_wanted(), 0))
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
        assist_run_frozen(thread, steps_advance);
}
