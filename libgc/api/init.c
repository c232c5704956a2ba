/* Starting, and what every allocation that is not served from a cache begins and ends with. */
#include "api/api.h"

#include "cycle/cycle.h"
#include "cycle/pace.h"
#include "heap/cache.h"
#include "heap/pages.h"
#include "mark/scan.h"
#include "mark/shaped.h"
#include "os/log.h"
#include "os/options.h"
#include "os/park.h"
#include "roots/roots.h"
#include "thread/thread.h"
#include "weak/table.h"

#include <pthread.h>
#include <stdlib.h>

enum { LEAST_HEAP = 128 << 10, PERCENT = 75, HANDLED_BY_PROGRAM = -1 };

volatile bool api_started;
static int handle_fork = 1;
static struct lock start_lock = LOCK_OF(RANK_START);

static void fork_prepare(void) { cycle_before_fork(); }
static void fork_parent(void) { cycle_after_fork(false); }
static void fork_child(void) {
    ended_forget_all();
    readers_after_fork();
    cycle_after_fork(true);
}

/* 1: always; -1: the program calls the three functions below; 0: neither. Before GC_init. */
void GC_set_handle_fork(int value) { handle_fork = value; }

static bool is_called_by_program(void) {
    return api_stands_alone && handle_fork == HANDLED_BY_PROGRAM;
}

void GC_atfork_prepare(void) {
    api_start();
    if (is_called_by_program())
        fork_prepare();
}

void GC_atfork_parent(void) {
    if (is_called_by_program())
        fork_parent();
}

void GC_atfork_child(void) {
    if (is_called_by_program())
        fork_child();
}

/* What the constructor of the preloaded library does. A program made for libgc has small heaps, and
 * memory of its own that libgc does not look at. */
static void start_alone(void) {
    options.min_heap = LEAST_HEAP;
    options.percent = PERCENT;
    options_read(secure_getenv("TITHE_OPTIONS"));
    if (options.log[0])
        log_to_file(options.log);
    else if (options.stats)
        log_keep_stderr();
    roots_make_like_libgc();
    scan_only_aligned();
    pace_stop_for_small_marks();
    cache_leave_stale();
    sizes_watch_filled();
    if (handle_fork == 1)
        pthread_atfork(fork_prepare, fork_parent, fork_child);
    cycle_enable();
}

static void start_preloaded(void) {
    shaped_keep_plain();
    pthread_atfork(NULL, NULL, readers_after_fork);
}

static void allow_code(void) {
    pages_lock();
    if (!vm_region_make_executable(&heap.objects))
        api_warn(API_WARNING "The heap at %p cannot be made executable\n", heap.objects.start);
    pages_unlock();
}

static void start(void) {
    if (heap_start() && GC_get_pages_executable())
        allow_code();
    if (api_stands_alone)
        start_alone();
    else
        start_preloaded();
    tunables_start();
    environment_read();
    api_threads_start();
    cycle_conduct_in_program();
    events_install();
    leak_start();
    api_roots_start();
    if (!GC_dont_precollect && GC_dont_gc <= 0)
        GC_gc_no++; /* the heap is empty, and with that collected */
}

void GC_init(void) {
    if (api_started)
        return;
    lock_take(&start_lock);
    if (!api_started)
        start();
    api_started = true;
    lock_give(&start_lock);
}

int GC_is_init_called(void) { return api_started; }

/* The library stays: threads and handlers of ours may be anywhere in it. */
void GC_deinit(void) {}

static bool fits(size_t bytes) {
    return bytes <= api_greatest_heap && AO_load(&heap.live) <= api_greatest_heap - bytes;
}

bool api_before_allocation(size_t bytes) {
    api_start();
    if (api_greatest_heap == 0 || fits(bytes))
        return true;
    return bytes <= api_greatest_heap && cycle_collect(CYCLE_OUT_OF_MEMORY) && fits(bytes);
}

static void tell_resize(void) {
    static volatile AO_t told;
    size_t now = pages_used_bytes();
    if (AO_load(&told) == now)
        return;
    AO_store(&told, now);
    lock_take(&weak_lock);
    GC_on_heap_resize(now);
    lock_give(&weak_lock);
}

void *api_allocated(void *object, size_t bytes) {
    if (GC_on_heap_resize)
        tell_resize();
    sections_tell();
    api_finalize();
    return __builtin_expect(object != NULL, 1) ? object : api_out_of_memory(bytes);
}
