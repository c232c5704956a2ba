/* Begin, rounds, the stop, the end; see conduct.h. */
#include "cycle/conduct.h"

#include "cycle/assist.h"
#include "cycle/credit.h"
#include "cycle/pace.h"
#include "cycle/patience.h"
#include "cycle/phase.h"
#include "cycle/relax.h"
#include "cycle/report.h"
#include "cycle/verify.h"
#include "cycle/worker.h"
#include "heap/closed.h"
#include "heap/layout.h"
#include "heap/object.h"
#include "heap/pages.h"
#include "heap/quarantine.h"
#include "heap/sweep.h"
#include "mark/drain.h"
#include "mark/evidence.h"
#include "mark/jobs.h"
#include "mark/queue.h"
#include "mark/rescan.h"
#include "mark/scan.h"
#include "mark/shaped.h"
#include "os/clock.h"
#include "os/dirty.h"
#include "os/log.h"
#include "os/maps.h"
#include "os/memory.h"
#include "os/options.h"
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
    STOPPED_NAP = 20000,   /* nanoseconds, when others have the last work of the stop */
    STACK_NAP = 100000,    /* nanoseconds between two looks whether stacks have been scanned */
    STACK_NAPS = 50,
    FAR_BEHIND = 4 << 20,       /* bytes of written pages that are worth another round */
    PROMPT = 2000000,           /* nanoseconds that a round may take without being looked behind, */
    PROMPT_A_GIBIBYTE = 2000000 /* and more for each GiB of heap: three times of what it should */
};

struct cycle_hooks cycle_hooks;
struct cycle_watcher cycle_watcher;

/* Calls a hook that is set. */
#define TELL(hook, ...)                                                                            \
    do {                                                                                           \
        if (cycle_hooks.hook)                                                                      \
            cycle_hooks.hook(__VA_ARGS__);                                                         \
    } while (0)

static struct cycle current;                           /* under the cycle's lock */
static volatile unsigned begun, ended, last_cancelled; /* the conductor; release */

unsigned conduct_begun(void) { return AO_int_load_acquire(&begun); }
unsigned conduct_ended(void) { return AO_int_load_acquire(&ended); }
bool conduct_was_cancelled(unsigned cycle) { return AO_int_load(&last_cancelled) == cycle; }

void conduct_lock_heap(void) {
    lock_take(&thread_registry_lock);
    span_sets_lock();
    pages_lock();
    closed_lock();
}

void conduct_unlock_heap(void) {
    closed_unlock();
    pages_unlock();
    span_sets_unlock();
    thread_drop_gone();
    lock_give(&thread_registry_lock);
}

static bool is_all_swept(void) {
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        if (span_sets[class].unswept.first)
            return false;
    return true;
}

/* The locks are taken before every span is known to be swept, because only then it stays so. */
static void sweep_until_locked(void) {
    for (;;) {
        sweep_finish();
        conduct_lock_heap();
        if (is_all_swept())
            return;
        conduct_unlock_heap();
    }
}

/* With the locks of the heap. What is allocated from here on is black and is only ever read as part
 * of a written page, so the pages must have been protected before, or the world be stopped. */
static void swap_colours(void) {
    evidence_bound();
    object_swap_colours();
    AO_store(&heap.marked, 0);
    quarantine_mark_begins();
    AO_char_store_release(&heap.marking, 1);
    current.live_before = AO_load(&heap.live);
}

/* With all sets locked. */
static void mark_held(void) {
    struct marker marker = {0};
    shaped_mark_held(&marker);
    scan_give_back(&marker);
    assist_count_marked(&marker);
}

static void close(bool done) {
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
    conduct_lock_heap();
    if (AO_char_load(&heap.marking))
        forget_mark();
    conduct_unlock_heap();
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
    for (int naps = 0; naps < STACK_NAPS && world_waits_for_stacks(); naps++)
        clock_nap(STACK_NAP);
    if (phase_leave())
        queue_stir(CREW_BESIDE);
}

static bool make_room(void) {
    if (roots_make_room(thread_count()))
        return true;
    roots_cannot_know("out of memory for the list of roots");
    return false;
}

/* The first round: all root memory but stacks, which their threads scan themselves when asked. */
static bool open_first_round(struct thread *self) {
    struct marker none = {0};
    lock_take(&thread_registry_lock);
    bool known = make_room() && roots_plan(&none, ROOTS_TRACKED);
    if (known) {
        phase_open(true);
        world_ask_stacks(true);
    }
    lock_give(&thread_registry_lock);
    if (known)
        keep_open_for_stacks(self);
    return known;
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
    if (!current.concurrent) {
        stop_and_end();
        return;
    }
    rescan_take_missed();
    sweep_until_locked();
    swap_colours();
    mark_held();
    conduct_unlock_heap();
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
    if (retries || wants_round() || has_fallen_behind()) {
        if (!open_round(self))
            give_up("out of memory for the list of written pages");
    } else if (is_outrun()) {
        give_up("the program writes faster than its memory can be read");
    } else {
        stop_and_end();
    }
}

/* A cached object was handed to no one: it is alive, but what it contains does not count. */
static void keep_cached(void *address, void *context) {
    struct object object;
    (void)context;
    if (!object_find((uintptr_t)address, &object) || *object_state(object) != object_white())
        return;
    AO_char_store(object_state(object), object_live_colour());
    AO_fetch_and_add(&heap.marked, object.span->object_bytes);
    current.cached_objects++;
}

static void keep_caches(void) {
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->has_cache)
            cache_each(&thread->cache, keep_cached, NULL);
}

static void verify(struct marker *marker) {
    assist_count_marked(marker);
    verify_mark(marker, !current.concurrent);
}

/* Others help: helpers, and whoever else happens to be awake. Nobody else claims, because that
 * needs the cycle's lock. */
static bool drain_and_leave(struct marker *marker) {
    size_t done = drain(marker, SIZE_MAX);
    phase_leave();
    return done > 0;
}

static void wait_for_helpers(void) {
    unsigned announcement = queue_announce(CREW_STOPPED);
    if (phase_stays_dry())
        queue_sleep(CREW_STOPPED, announcement, STOPPED_NAP);
    else
        queue_withdraw(CREW_STOPPED);
}

static void drain_with_helpers(struct marker *marker) {
    for (;;) {
        bool done = phase_enter() && drain_and_leave(marker);
        if (phase_claim())
            return;
        if (!done)
            wait_for_helpers();
    }
}

static bool plan_written_heap(void) {
    if (rescan_plan_heap(true))
        return true;
    roots_cannot_know("out of memory for the list of written pages");
    return false;
}

/* What the program does when it is asked for roots is done before anybody reads a page, and
 * before its mark procedures run, which push as well. What the conductor finds then has to go to
 * the queue; while it looks for roots it is a marker at work, and helpers already ask for written
 * pages of the heap. */
static bool mark_stopped(struct marker *marker) {
    bool whole = rescan_take_missed() || !current.concurrent;
    bool known = heap_pages_look(true) && heap_pages_open();
    known = known && unknown_ask(true) == NULL && (!current.concurrent || plan_written_heap());
    scan_world_stopped(true);
    TELL(push_roots, marker);
    if (cycle_watcher.push_roots)
        cycle_watcher.push_roots(marker);
    shaped_stop(marker);
    drain(marker, 0);
    phase_open_entered(!current.alone);
    known &= roots_plan(marker, whole ? ROOTS_ALL : ROOTS_WRITTEN);
    current.stop_planned = clock_nanoseconds();
    if (!current.alone)
        queue_stir(CREW_STOPPED);
    drain_and_leave(marker);
    drain_with_helpers(marker);
    known &= roots_plan_late(marker);
    drain_stopped(marker);
    if (memory_is_refused())
        roots_cannot_know("the kernel refuses to read memory: a filter of the program's");
    known &= unknown_reason() == NULL;
    if (known && options.verify)
        verify(marker);
    if (known)
        keep_caches();
    if (known)
        TELL(marked, marker);
    if (known && cycle_watcher.marked)
        cycle_watcher.marked(marker);
    assist_count_marked(marker);
    scan_world_stopped(false);
    roots_close();
    if (!shaped_resume())
        roots_cannot_know("too many objects with mark procedures");
    return known && unknown_reason() == NULL;
}

/* The live bytes are what was marked; what the sweep will find was subtracted by this. What comes
 * out of the quarantine was freed, not collected. */
static void settle(void) {
    size_t live = AO_load(&heap.live), marked = AO_load(&heap.marked);
    marked = marked < live ? marked : live; /* some may have been counted twice, in the stop */
    current.live_most = live;
    current.live_after = marked;
    AO_store(&heap.live, marked);
    AO_fetch_and_add(&heap.collected, live - marked - quarantine_mark_ended());
    AO_char_store(&heap.marking, 0);
    sweep_begin(false);
}

enum stop_result { STOP_LATE, STOP_IMPOSSIBLE, STOP_ROOTS_UNKNOWN, STOP_DONE };

/* With the locks of the heap; if nothing is marked yet, all of it is swept. */
static enum stop_result stopped_phase(void) {
    _Alignas(16) unsigned char copy[SCAN_COPY_BYTES];
    struct marker marker = {.copy = copy};
    current.stop_begun = clock_nanoseconds();
    TELL(stopping);
    enum world_answer answer = world_stop(patience_budget());
    if (answer != WORLD_STOPPED) {
        report_stop(clock_nanoseconds() - current.stop_begun);
        return answer == WORLD_LATE ? STOP_LATE : STOP_IMPOSSIBLE;
    }
    queue_serve(CREW_STOPPED, current.alone);
    if (!current.alone)
        worker_call_helpers();
    TELL(stopped);
    current.stop_stopped = clock_nanoseconds();
    if (evidence_look_around(true) && current.concurrent)
        roots_cannot_know("a language came while its memory was read");
    if (!current.concurrent) {
        swap_colours();
        mark_held();
    }
    bool known = mark_stopped(&marker);
    current.stop_scanned = marker.scanned;
    if (known)
        settle();
    current.stop_settled = clock_nanoseconds();
    current.stop_written = rescan_take_count();
    if (!current.alone)
        worker_release_helpers();
    queue_serve(CREW_BESIDE, false);
    TELL(starting);
    current.stop_nanoseconds = world_start() - current.stop_begun;
    report_stop(current.stop_nanoseconds);
    TELL(started);
    pace_work_done(marker.scanned);
    return known ? STOP_DONE : STOP_ROOTS_UNKNOWN;
}

static bool maps_can_be_had(void) {
    if (maps_are_open())
        return true;
    roots_cannot_know("the list of maps, or a way to read memory, is not to be had");
    return false;
}

/* Before the locks are taken for which allocating threads would wait. */
static bool can_stop(void) {
    lock_take(&thread_registry_lock);
    bool possible = world_can_stop();
    lock_give(&thread_registry_lock);
    return possible;
}

static enum stop_result try_stop(void) {
    current.stop_begun = clock_nanoseconds();
    if (!can_stop())
        return STOP_IMPOSSIBLE;
    TELL(lock);
    if (current.concurrent)
        conduct_lock_heap();
    else
        sweep_until_locked();
    bool prepared = maps_can_be_had() && make_room();
    enum stop_result result = prepared ? stopped_phase() : STOP_ROOTS_UNKNOWN;
    conduct_unlock_heap();
    TELL(unlock);
    return result;
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
    enum stop_result result = try_stop();
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
