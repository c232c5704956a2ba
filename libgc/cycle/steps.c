/* Beginning and advancing under the cycle's lock; see steps.h. */
#include "cycle/steps.h"

#include "cycle/conduct.h"
#include "cycle/pace.h"
#include "cycle/patience.h"
#include "cycle/phase.h"
#include "thread/thread.h"

struct lock steps_lock = LOCK_OF(RANK_CYCLE);
volatile bool steps_enabled;
volatile bool steps_requested;
volatile unsigned steps_wanted;
bool steps_by_program;

bool steps_are_wanted(void) { return AO_int_load(&steps_wanted) > conduct_begun(); }

bool steps_are_possible(void) {
    return steps_enabled && thread_current() != &thread_left && thread_self->program_locks == 0 &&
           thread_in_own_process();
}

/* A cycle whose stop was put off comes first. */
static void begin_locked(struct thread *self, enum cycle_trigger trigger) {
    if (!steps_enabled || phase_now() != PHASE_OFF)
        return;
    if (patience_waits())
        conduct_go_on();
    else if (trigger != CYCLE_PACED || pace_due())
        conduct_begin(self, trigger);
}

void steps_begin(struct thread *self, enum cycle_trigger trigger) {
    lock_take(&steps_lock);
    begin_locked(self, trigger);
    lock_give(&steps_lock);
}

void steps_advance(struct thread *self) {
    lock_take(&steps_lock);
    if (patience_is_due() && phase_claim())
        conduct_advance(self);
    lock_give(&steps_lock);
}

void steps_begin_paced(struct thread *thread) { steps_begin(thread, CYCLE_PACED); }

void steps_begin_wanted(struct thread *thread) { steps_begin(thread, CYCLE_FORCED); }

void steps_begin_awaited(struct thread *thread) {
    lock_take(&steps_lock);
    if (conduct_ended() < thread->awaited)
        begin_locked(thread, CYCLE_FORCED);
    lock_give(&steps_lock);
}
