/* The stop; see stop.h. */
#include "cycle/stop.h"

#include "cycle/assist.h"
#include "cycle/colours.h"
#include "cycle/cycle.h"
#include "cycle/pace.h"
#include "cycle/patience.h"
#include "cycle/phase.h"
#include "cycle/report.h"
#include "cycle/verify.h"
#include "cycle/worker.h"
#include "heap/layout.h"
#include "heap/object.h"
#include "heap/quarantine.h"
#include "heap/sweep.h"
#include "mark/drain.h"
#include "mark/evidence.h"
#include "mark/queue.h"
#include "mark/rescan.h"
#include "mark/scan.h"
#include "mark/shaped.h"
#include "os/clock.h"
#include "os/maps.h"
#include "os/memory.h"
#include "os/options.h"
#include "roots/heap_pages.h"
#include "roots/roots.h"
#include "roots/unknown.h"
#include "thread/thread.h"
#include "thread/world.h"

enum { NAP = 20000 /* nanoseconds, when others have the last work of the stop */ };

/* A cached object was handed to no one: it is alive, but what it contains does not count. */
static void keep_cached(void *address, void *context) {
    struct cycle *cycle = context;
    struct object object;
    if (!object_find((uintptr_t)address, &object) || *object_state(object) != object_white())
        return;
    AO_char_store(object_state(object), object_live_colour());
    AO_fetch_and_add(&heap.marked, object.span->object_bytes);
    cycle->cached_objects++;
}

static void keep_caches(struct cycle *cycle) {
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->has_cache)
            cache_each(&thread->cache, keep_cached, cycle);
}

static void verify(const struct cycle *cycle, struct marker *marker) {
    assist_count_marked(marker);
    verify_mark(marker, !cycle->concurrent);
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
        queue_sleep(CREW_STOPPED, announcement, NAP);
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

/* A marker ran into a page that was closed. What the hooks below do after that is undone by nobody,
 * but nothing is freed. */
static void notice_failure(void) {
    const char *failure = drain_take_failure();
    if (failure)
        roots_cannot_know(failure);
}

/* What the program does when it is asked for roots is done before anybody reads a page, and
 * before its mark procedures run, which push as well. What the conductor finds then has to go to
 * the queue; while it looks for roots it is a marker at work, and helpers already ask for written
 * pages of the heap. */
static bool mark_stopped(struct cycle *cycle, struct marker *marker) {
    bool whole = !cycle->concurrent || !rescan_take_missed(roots_distrust);
    bool known = heap_pages_look(true) && heap_pages_open();
    known = known && unknown_ask(true) == NULL && (!cycle->concurrent || plan_written_heap());
    scan_world_stopped(true);
    TELL(push_roots, marker);
    if (cycle_watcher.push_roots)
        cycle_watcher.push_roots(marker);
    shaped_stop(marker);
    drain(marker, 0);
    phase_open_entered(!cycle->alone);
    known &= roots_plan(marker, whole ? ROOTS_ALL : ROOTS_WRITTEN);
    cycle->stop_planned = clock_nanoseconds();
    if (!cycle->alone)
        queue_stir(CREW_STOPPED);
    drain_and_leave(marker);
    drain_with_helpers(marker);
    known &= roots_plan_late(marker);
    drain_stopped(marker);
    notice_failure();
    if (memory_is_refused())
        roots_cannot_know("the kernel refuses to read memory: a filter of the program's");
    known &= unknown_reason() == NULL;
    if (known && options.verify)
        verify(cycle, marker);
    if (known)
        keep_caches(cycle);
    if (known)
        TELL(marked, marker);
    if (known && cycle_watcher.marked)
        cycle_watcher.marked(marker);
    notice_failure();
    assist_count_marked(marker);
    scan_world_stopped(false);
    roots_close();
    if (!shaped_resume())
        roots_cannot_know("too many objects with mark procedures");
    return known && unknown_reason() == NULL;
}

/* The live bytes are what was marked; what the sweep will find was subtracted by this. What comes
 * out of the quarantine was freed, not collected. */
static void settle(struct cycle *cycle) {
    size_t live = AO_load(&heap.live), marked = AO_load(&heap.marked);
    marked = marked < live ? marked : live; /* some may have been counted twice, in the stop */
    cycle->live_most = live;
    cycle->live_after = marked;
    AO_store(&heap.live, marked);
    AO_fetch_and_add(&heap.collected, live - marked - quarantine_mark_ended());
    AO_char_store(&heap.marking, 0);
    sweep_begin(false);
}

/* With the locks of the heap; if nothing is marked yet, all of it is swept. */
static enum stop_result stopped_phase(struct cycle *cycle) {
    _Alignas(16) unsigned char copy[SCAN_COPY_BYTES];
    struct marker marker = {.copy = copy};
    cycle->stop_begun = clock_nanoseconds();
    TELL(stopping);
    enum world_answer answer = world_stop(patience_budget());
    if (answer != WORLD_STOPPED) {
        report_stop(clock_nanoseconds() - cycle->stop_begun);
        return answer == WORLD_LATE ? STOP_LATE : STOP_IMPOSSIBLE;
    }
    queue_serve(CREW_STOPPED, cycle->alone);
    if (!cycle->alone)
        worker_call_helpers();
    TELL(stopped);
    cycle->stop_stopped = clock_nanoseconds();
    if (evidence_look_around(true) && cycle->concurrent)
        roots_cannot_know("a language came while its memory was read");
    if (!cycle->concurrent)
        colours_change(cycle);
    bool known = mark_stopped(cycle, &marker);
    cycle->stop_scanned = marker.scanned;
    if (known)
        settle(cycle);
    cycle->stop_settled = clock_nanoseconds();
    cycle->stop_written = rescan_take_count();
    if (!cycle->alone)
        worker_release_helpers();
    queue_serve(CREW_BESIDE, false);
    TELL(starting);
    cycle->stop_nanoseconds = world_start() - cycle->stop_begun;
    report_stop(cycle->stop_nanoseconds);
    TELL(started);
    pace_work_done(marker.scanned);
    return known ? STOP_DONE : STOP_ROOTS_UNKNOWN;
}

bool stop_make_room(void) {
    if (roots_make_room(thread_count()))
        return true;
    roots_cannot_know("out of memory for the list of roots");
    return false;
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

enum stop_result stop_try(struct cycle *cycle) {
    cycle->stop_begun = clock_nanoseconds();
    if (!can_stop())
        return STOP_IMPOSSIBLE;
    TELL(lock);
    if (cycle->concurrent)
        colours_lock_heap();
    else
        colours_lock_swept_heap();
    bool prepared = maps_can_be_had() && stop_make_room();
    enum stop_result result = prepared ? stopped_phase(cycle) : STOP_ROOTS_UNKNOWN;
    colours_unlock_heap();
    TELL(unlock);
    return result;
}
