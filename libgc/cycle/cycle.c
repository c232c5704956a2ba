/* One collection, phase by phase; see cycle.h. */
#include "cycle/cycle.h"

#include "cycle/pace.h"
#include "heap/layout.h"
#include "heap/metadata.h"
#include "heap/object.h"
#include "heap/pages.h"
#include "heap/sweep.h"
#include "mark/drain.h"
#include "mark/roots.h"
#include "os/altstack.h"
#include "os/log.h"
#include "os/maps.h"
#include "os/options.h"
#include "os/syscall.h"
#include "os/tasks.h"
#include "os/vm.h"
#include "thread/thread.h"
#include "thread/world.h"

#include <signal.h>
#include <time.h>

enum { STACK_BYTES = 256 << 10 };

static struct lock cycle_lock = LOCK_INITIALIZER;
static volatile bool enabled;
static int process; /* the process the collector belongs to; another id means a vfork child */
static uintptr_t stack_top;
static struct cycle_totals totals;

/* One collection in progress, for the thread that holds the lock. */
struct cycle {
    enum cycle_trigger trigger;
    size_t trigger_bytes, live_before, live_after, marked_objects, cached_objects;
    long long stop_nanoseconds;
    bool done;
};

static long long now_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

void cycle_enable(void) {
    process = tasks_process();
    enabled = options.collect;
}

/* After a collection that is under way has ended. */
void cycle_disable(void) {
    lock_take(&cycle_lock);
    enabled = false;
    lock_give(&cycle_lock);
}

struct cycle_totals cycle_totals(void) {
    return totals;
}

static bool stack_prepare(void) {
    size_t guard = vm_page_bytes();
    if (stack_top)
        return true;
    uintptr_t block = (uintptr_t)metadata_take(STACK_BYTES + guard);
    if (block == 0 || !vm_guard(block, guard))
        return false;
    stack_top = block + guard + STACK_BYTES;
    return true;
}

/* The locks that nobody may hold while stopped, from the outermost. */
static void locks_take(void) {
    lock_take(&thread_registry_lock);
    span_sets_lock();
    pages_lock();
}

static void heap_locks_give(void) {
    pages_unlock();
    span_sets_unlock();
}

/* A cached object was handed to no one: it is alive, but what it contains does not count. */
static void keep_cached(void *address, void *context) {
    struct cycle *cycle = context;
    struct object object;
    if (!object_find((uintptr_t)address, &object) || *object_state(object) != object_white())
        return;
    AO_char_store(object_state(object), object_live_colour());
    cycle->live_after += object.span->object_bytes;
    cycle->cached_objects++;
}

static void keep_caches(struct cycle *cycle) {
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->has_cache)
            cache_each(&thread->cache, keep_cached, cycle);
}

/* With the world stopped and every span swept. The marker is on the collector's stack, where what
 * it remembers is no root. False when the roots could not all be read. */
static bool mark(struct cycle *cycle) {
    struct marker marker = {0};
    object_swap_colours();
    if (!maps_open())
        return false;
    bool known = roots_scan(&marker);
    maps_close();
    drain_all(&marker);
    cycle->marked_objects = marker.marked_objects;
    cycle->live_after = marker.marked_bytes;
    keep_caches(cycle);
    return known;
}

/* Swapping the colours back makes what was white the live colour; what this mark reached is made
 * that, too. */
static void unmark_span(struct span *span) {
    for (unsigned i = 0; i < span->object_count; i++)
        if (!object_is_free(span->states[i]))
            AO_char_store(&span->states[i], object_live_colour());
}

static void unmark(void) {
    object_swap_colours();
    for (unsigned class = 0; class < SPAN_CLASSES; class ++) {
        struct span_set *set = &span_sets[class];
        for (struct span *span = set->partial.first; span; span = span->next)
            unmark_span(span);
        for (struct span *span = set->full.first; span; span = span->next)
            unmark_span(span);
    }
}

/* The live bytes are what was marked; what the sweep will find was subtracted by this. */
static void settle(struct cycle *cycle) {
    size_t live = AO_load(&heap.live);
    cycle->live_before = live;
    AO_store(&heap.live, cycle->live_after);
    AO_fetch_and_add(&heap.collected, live - cycle->live_after);
    sweep_begin();
}

static void stopped_phase(struct cycle *cycle) {
    long long start = now_nanoseconds();
    if (!world_stop()) {
        log_once("not every thread could be stopped: collection cancelled");
        return;
    }
    cycle->done = mark(cycle);
    if (cycle->done) {
        settle(cycle);
    } else {
        unmark();
        log_once("/proc/self/maps cannot be read: roots unknown, nothing is collected");
    }
    world_start();
    cycle->stop_nanoseconds = now_nanoseconds() - start;
}

/* The set locks are taken before every span is known to be swept, because only then it stays so. */
static void sweep_until_locked(void) {
    for (;;) {
        sweep_finish();
        locks_take();
        bool swept = true;
        for (unsigned class = 0; class < SPAN_CLASSES; class ++)
            swept &= span_sets[class].unswept.first == NULL;
        if (swept)
            return;
        heap_locks_give();
        lock_give(&thread_registry_lock);
    }
}

/* Runs on the collector's stack. No signal may be handled in this thread meanwhile: its handler
 * would run while the thread counts as stopped. */
static void run(void *context) {
    struct cycle *cycle = context;
    unsigned long all = ~0ul, before;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    cycle->trigger_bytes = pace_trigger();
    sweep_until_locked();
    if (roots_prepare(thread_count()))
        stopped_phase(cycle);
    heap_locks_give();
    thread_drop_gone();
    lock_give(&thread_registry_lock);
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof before);
}

static void say(const struct cycle *cycle) {
    static const char *const names[] = {"paced", "forced", "out of memory"};
    log_line(
        "cycle %zu (%s): trigger %zuK next %zuK live %zuK -> %zuK freed %zuK roots %zuK marked "
        "%zu objects cached %zu stop %.3f ms by the stopping thread, %s",
        totals.cycles, names[cycle->trigger], cycle->trigger_bytes >> 10, pace_trigger() >> 10,
        cycle->live_before >> 10, cycle->live_after >> 10,
        (cycle->live_before - cycle->live_after) >> 10, roots_bytes() >> 10, cycle->marked_objects,
        cycle->cached_objects, cycle->stop_nanoseconds / 1e6, maps_method());
}

static void account(struct cycle *cycle) {
    if (!cycle->done) {
        totals.cancelled++;
        pace_after_cancel();
        return;
    }
    totals.cycles++;
    totals.stop_total += cycle->stop_nanoseconds;
    if (cycle->stop_nanoseconds > totals.stop_longest)
        totals.stop_longest = cycle->stop_nanoseconds;
    pace_after_cycle(cycle->live_after, roots_bytes());
    if (options.stats)
        say(cycle);
}

static bool collect_locked(enum cycle_trigger trigger) {
    struct cycle cycle = {.trigger = trigger};
    struct thread *thread = thread_self;
    thread->context = NULL;
    altstack_call(stack_top, run, &cycle, &thread->stack_pointer);
    account(&cycle);
    return cycle.done;
}

bool cycle_in_own_process(void) { return tasks_process() == process; }

static bool is_possible(void) {
    return enabled && thread_current() != &thread_left && cycle_in_own_process();
}

bool cycle_collect(enum cycle_trigger trigger) {
    if (!is_possible())
        return false;
    bool done = false;
    lock_take(&cycle_lock);
    if (enabled && (trigger != CYCLE_PACED || pace_due()) && stack_prepare())
        done = collect_locked(trigger);
    lock_give(&cycle_lock);
    if (done && trigger != CYCLE_PACED)
        sweep_finish();
    return done;
}

/* A thread gets its signal stack when a stop is near, so that programs which never get there keep
 * the signal stack they were born with, which is none. */
static void prepare_for_stop(void) {
    struct thread *thread = thread_self;
    if (thread->altstack_tried ||
        (AO_load(&heap.live) < pace_trigger() / 2 && options.gc_every == 0))
        return;
    thread->altstack_tried = true;
    thread_ensure_altstack();
}

void cycle_poll(void) {
    if (!enabled)
        return;
    prepare_for_stop();
    if (pace_due())
        cycle_collect(CYCLE_PACED);
}

/* A started heap needs no lock to be found started, so the child cannot meet one held. */
void cycle_before_fork(void) {
    heap_start();
    lock_take(&cycle_lock);
    locks_take();
    metadata_lock();
}

void cycle_after_fork(bool child) {
    metadata_unlock();
    heap_locks_give();
    if (child) {
        process = tasks_process();
        thread_after_fork();
    }
    lock_give(&thread_registry_lock);
    lock_give(&cycle_lock);
}
