/* A worker's turn, and making workers; see turns.h. */
#include "cycle/turns.h"

#include "cycle/assist.h"
#include "cycle/conduct.h"
#include "cycle/credit.h"
#include "cycle/pace.h"
#include "cycle/patience.h"
#include "cycle/phase.h"
#include "cycle/relax.h"
#include "cycle/steps.h"
#include "cycle/worker.h"
#include "heap/sweep.h"
#include "mark/drain.h"
#include "mark/jobs.h"
#include "mark/queue.h"
#include "os/clock.h"
#include "os/dirty.h"
#include "os/limits.h"
#include "os/maps.h"
#include "os/permitted.h"
#include "os/tasks.h"
#include "thread/thread.h"

enum {
    WORKER_QUOTA = 256 << 10, /* bytes scanned between two flushes of credit */
    CYCLES_A_LOOK = 8,        /* between two looks at how much memory the process has */
    RETRY_NAP = 1000000       /* nanoseconds of a worker, until a stop is due again */
};

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
    if (completed && !steps_by_program)
        steps_advance(NULL);
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

/* A stop is to be tried again, also if the program does nothing meanwhile. */
static bool worker_retry(void) {
    if (!patience_is_due())
        clock_nap(RETRY_NAP);
    else if (phase_now() == PHASE_OFF)
        steps_begin(NULL, CYCLE_PACED);
    else
        steps_advance(NULL);
    return true;
}

static bool worker_turn(struct marker *marker) {
    if (worker_mark(marker))
        return true;
    if (patience_waits() && !steps_by_program)
        return worker_retry();
    if (steps_by_program)
        return phase_now() == PHASE_OFF && (relax_some() || sweep_some());
    if (phase_now() == PHASE_COMPLETE) {
        steps_advance(NULL);
        return true;
    }
    if (steps_requested) {
        steps_requested = false;
        steps_begin(NULL, CYCLE_PACED);
        return true;
    }
    if (steps_are_wanted() && phase_now() == PHASE_OFF) {
        steps_begin(NULL, CYCLE_FORCED);
        return true;
    }
    return phase_now() == PHASE_OFF && (relax_some() || sweep_some());
}

static void prepare(bool with_workers) {
    if (phase_now() == PHASE_OFF) {
        permitted_find_out();
        maps_open();
        dirty_open();
        tasks_open();
    }
    pace_look();
    relax_prepare();
    if (pace_is_small() && conduct_begun() % CYCLES_A_LOOK == 0)
        pace_note_process(limits_resident(), thread_count_of_program());
    if (with_workers || pace_wants_workers())
        worker_start((struct worker_turns){worker_turn, helper_mark});
}

/* All of it with the lock: who ends cycles for good makes sure that none of these calls is made
 * afterwards. */
static void prepare_unless_ended(bool with_workers) {
    lock_take(&steps_lock);
    if (steps_enabled)
        prepare(with_workers);
    lock_give(&steps_lock);
}

void turns_prepare(struct thread *thread) {
    (void)thread;
    prepare_unless_ended(false);
}

void turns_prepare_whole(struct thread *thread) {
    (void)thread;
    prepare_unless_ended(true);
}
