/* Begin, rounds, the stop, the end; see conduct.h. */
#include "cycle/conduct.h"

#include "cycle/assist.h"
#include "cycle/colours.h"
#include "cycle/credit.h"
#include "cycle/pace.h"
#include "cycle/patience.h"
#include "cycle/phase.h"
#include "cycle/relax.h"
#include "cycle/report.h"
#include "cycle/stop.h"
#include "heap/closed.h"
#include "heap/layout.h"
#include "heap/pages.h"
#include "heap/sweep.h"
#include "mark/drain.h"
#include "mark/evidence.h"
#include "mark/jobs.h"
#include "mark/queue.h"
#include "mark/rescan.h"
#include "mark/scan.h"
#include "os/clock.h"
#include "os/dirty.h"
#include "os/log.h"
#include "os/maps.h"
#include "os/memory.h"
#include "os/options.h"
#include "os/recovery.h"
#include "os/tasks.h"
#include "roots/heap_pages.h"
#include "roots/roots.h"
#include "roots/unknown.h"
#include "thread/thread.h"
#include "thread/world.h"

enum {
    MOST_ROUNDS = 16,
    FEWEST_ROUNDS = 3,     /* while more than few pages are written */
    MOST_CHASES = 8,       /* rounds after threads that outrun the mark */
    FEW_WRITTEN = 1 << 20, /* bytes of written pages that the stop can do with */
    STACK_NAP = 100000,    /* nanoseconds between two looks whether stacks have been scanned */
    STACK_NAPS = 50,
    FAR_BEHIND = 4 << 20,       /* bytes of written pages that are worth another round */
    PROMPT = 2000000,           /* nanoseconds that a round may take without being looked behind, */
    PROMPT_A_GIBIBYTE = 2000000 /* and more for each GiB of heap: three times of what it should */
};

struct cycle_hooks cycle_hooks;
struct cycle_watcher cycle_watcher;

static struct cycle current;                           /* under the cycle's lock */
static volatile unsigned begun, ended, last_cancelled; /* the conductor; release */

unsigned conduct_begun(void) { return AO_int_load_acquire(&begun); }
unsigned conduct_ended(void) { return AO_int_load_acquire(&ended); }
bool conduct_was_cancelled(unsigned cycle) { return AO_int_load(&last_cancelled) == cycle; }

static void close(bool done) {
    recovery_disarm();
    if (!done)
        AO_int_store(&last_cancelled, AO_int_load(&begun));
    report_cycle(&current, done);
    patience_end(done);
    TELL(ended, done);
    if (cycle_watcher.ended)
        cycle_watcher.ended(done);
    AO_int_store_release(&ended, AO_int_load(&begun));
    phase_close(!current.alone);
    credit_wake_all();
}

/* Everything that is allocated stays so, whatever this mark has reached. No marker is at work. */
static void forget_mark(void) {
    AO_char_store(&heap.marking, 0);
    sweep_begin(true);
}

static void give_up(const char *reason) {
    log_once("nothing is collected: %s", reason);
    current.reason = reason;
    jobs_clear();
    queue_clear();
    colours_lock_heap();
    if (AO_char_load(&heap.marking))
        forget_mark();
    colours_unlock_heap();
    pace_cancel();
    close(false);
}

/* Tracks the heap, once, and protects what was written before. */
static void ignore_pages(uintptr_t start, uintptr_t end, void *context) {
    (void)start, (void)end, (void)context;
}

static void track_stretch(uintptr_t start, uintptr_t end, void *tracked) {
    *(bool *)tracked &= dirty_track(start, end);
}

static void take_stretch(uintptr_t start, uintptr_t end, void *taken) {
    *(bool *)taken = *(bool *)taken && dirty_take(start, end, ignore_pages, NULL);
}

static bool arm(void) {
    uintptr_t start = heap.objects.start;
    bool armed = dirty_arm();
    if (armed)
        closed_each_own(start, start + heap.objects.reserved, track_stretch, &armed);
    if (armed)
        closed_each_own(start, start + pages_used_bytes(), take_stretch, &armed);
    return armed;
}

static bool can_run_beside(void) {
    return !memory_is_read_by_file() && !heap_pages_change_unseen();
}

/* The round may be over before a thread gets its signal; where all hangs on that thread's stack,
 * all would be left to the stop. So the round stays open for a while. */
static void keep_open_for_stacks(struct thread *self) {
    if (!phase_enter())
        return;
    if (self)
        assist_scan_own_stack(self);
    int naps = 0;
    for (; naps < STACK_NAPS && world_waits_for_stacks(); naps++)
        clock_nap(STACK_NAP);
    if (naps == STACK_NAPS)
        world_look_at_silent();
    if (phase_leave())
        queue_stir(CREW_BESIDE);
}

/* The first round: all root memory but stacks, which their threads scan themselves when asked. */
static bool open_first_round(struct thread *self) {
    struct marker none = {0};
    lock_take(&thread_registry_lock);
    bool known = stop_make_room();
    if (known)
        roots_look(ROOTS_TRACKED);
    lock_give(&thread_registry_lock);
    if (!known || !roots_plan(&none, ROOTS_TRACKED))
        return false;
    lock_take(&thread_registry_lock);
    phase_open(true);
    world_ask_stacks(true);
    lock_give(&thread_registry_lock);
    keep_open_for_stacks(self);
    return true;
}

static void stop_and_end(void);

static void number_cycle(void) {
    current.number = AO_int_load(&begun) + 1;
    AO_int_store_release(&begun, current.number);
    AO_int_store_release(&assist_cycle, current.number);
}

void conduct_go_on(void) {
    if (patience_is_due() && patience_try())
        stop_and_end();
}

void conduct_begin(struct thread *self, enum cycle_trigger trigger) {
    bool small = pace_is_small();
    unknown_begin();
    closed_settle();
    if (maps_are_open())
        heap_pages_look(false);
    current = (struct cycle){.trigger = trigger,
                             .trigger_bytes = pace_trigger(),
                             .goal_bytes = pace_goal(),
                             .alone = !pace_wants_workers(),
                             .concurrent = !small && can_run_beside() && arm()};
    credit_reset();
    assist_reset();
    pace_begin(AO_load(&heap.live), clock_nanoseconds());
    number_cycle();
    evidence_look_around(false);
    TELL(begun);
    if (unknown_ask(false)) {
        give_up(unknown_reason());
        return;
    }
    drain_take_failure();
    if (!roots_follow_libgc())
        recovery_arm(heap.objects.start, heap.objects.start + heap.objects.reserved);
    if (!current.concurrent) {
        stop_and_end();
        return;
    }
    rescan_forget_missed();
    colours_lock_swept_heap();
    colours_change(&current);
    colours_unlock_heap();
    if (!open_first_round(self))
        give_up(unknown_reason());
}

/* Pages are rescanned at least once, and until few were written between two rounds, or hardly fewer
 * than before. A thread that frees a long list from its head on outruns the mark: what is left of
 * the list must not be left to the stop. */
static bool wants_round(void) {
    size_t before = current.written;
    current.written = rescan_take_count();
    if (!current.concurrent || current.rounds >= MOST_ROUNDS)
        return false;
    pace_round(current.written);
    if (current.rounds <= MOST_CHASES && world_is_outrun())
        return true;
    if (current.rounds <= FEWEST_ROUNDS)
        return current.rounds == 1 || current.written > FEW_WRITTEN;
    return current.written > FEW_WRITTEN && current.written < before / 10 * 9;
}

static bool open_round(struct thread *self) {
    if (!rescan_plan_heap(false) || !roots_plan_written())
        return false;
    current.round_opened = clock_nanoseconds();
    phase_open(true);
    credit_wake_all();
    lock_take(&thread_registry_lock);
    world_ask_stacks(false);
    lock_give(&thread_registry_lock);
    keep_open_for_stacks(self);
    return true;
}

static bool is_outrun(void) {
    return current.concurrent && current.trigger == CYCLE_PACED && pace_puts_off(current.written);
}

static bool was_prompt(void) {
    long long gibibytes = pages_used_bytes() >> 30;
    return clock_nanoseconds() - current.round_opened < PROMPT + gibibytes * PROMPT_A_GIBIBYTE;
}

/* Whoever had the last piece of the round, or sees to the next step, may have had to wait for a
 * processor, while the program wrote. To look takes time in which it writes, too. */
static bool has_fallen_behind(void) {
    if (!current.concurrent || current.rounds >= MOST_ROUNDS || was_prompt())
        return false;
    size_t often = current.written * 4;
    return rescan_is_behind(often > FAR_BEHIND ? often : FAR_BEHIND);
}

/* After a failed stop, what was written meanwhile is read before the next one. */
void conduct_advance(struct thread *self) {
    bool retries = patience_try();
    current.rounds += !retries;
    const char *failure = drain_take_failure();
    if (failure) {
        give_up(failure);
    } else if (retries || wants_round() || has_fallen_behind()) {
        if (!open_round(self))
            give_up("out of memory for the list of written pages");
    } else if (is_outrun()) {
        give_up("the program writes faster than its memory can be read");
    } else {
        stop_and_end();
    }
}

static void end(void) {
    pace_end(current.live_after, assist_marked_bytes(), roots_bytes());
    close(true);
    if (current.concurrent)
        relax_begin();
    else if (pace_is_small())
        sweep_finish(); /* or what died in one size would keep its pages from all others */
}

/* The round stays complete until the stop is due again. Where the whole mark is in the stop, the
 * phase stays off, and the cycle is gone on with in the place of a new one. */
static void put_stop_off(const char *reason) {
    if (!current.put_off && options.stats)
        log_line("cycle %u: %s: it is tried again, and the heap grows meanwhile", current.number,
                 reason);
    current.put_off = true;
    if (!current.concurrent)
        return;
    phase_open_entered(false);
    phase_leave();
    credit_wake_all();
}

static void stop_and_end(void) {
    static const char *const reasons[] = {
        [STOP_LATE] = "not every thread could be stopped in time",
        [STOP_IMPOSSIBLE] = "a thread is out of reach of the stop signal: held, frozen or deaf",
    };
    enum stop_result result = stop_try(&current);
    if (result == STOP_DONE)
        end();
    else if (result == STOP_ROOTS_UNKNOWN)
        give_up(unknown_reason());
    else if (patience_lasts(current.stop_begun))
        put_stop_off(reasons[result]);
    else
        give_up(reasons[result]);
}

void conduct_after_fork(void) {
    bool marking = AO_char_load(&heap.marking);
    recovery_after_fork();
    jobs_clear();
    queue_clear();
    queue_after_fork();
    span_after_fork();
    pages_after_fork();
    phase_after_fork();
    if (marking)
        forget_mark();
    AO_int_store(&ended, AO_int_load(&begun));
    patience_end(true);
    closed_after_fork();
    maps_after_fork();
    tasks_after_fork();
    dirty_after_fork();
}
