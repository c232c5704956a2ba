/* Figures: of the heap, of what was allocated, of collections. */
#include "api/api.h"

#include "cycle/cycle.h"
#include "cycle/worker.h"
#include "heap/metadata.h"
#include "heap/pages.h"
#include "weak/table.h"

#include <stdio.h>
#include <string.h>

GC_word GC_gc_no;

enum { NANOSECONDS_PER_MILLISECOND = 1000000 };

/* At the beginning of the last cycle that ended. Written in the conductor's hooks. */
static size_t allocated_then, freed_then, allocated_before, collected_before, collected_then;
static size_t allocated_now, freed_now, collected_now; /* of the cycle that goes on */
static volatile AO_t cycles_ended;
static bool measuring;
static long long measured_from;

static volatile AO_t expanded; /* by GC_expand_hp; any thread adds */

void statistics_expanded(size_t bytes) { AO_fetch_and_add(&expanded, bytes); }
void statistics_forget_expansion(void) { AO_store(&expanded, 0); }

static size_t heap_bytes(void) { return pages_used_bytes(); }

/* Of what the program asked for, as much as it has not used yet. */
static size_t expansion_left(void) {
    size_t wanted = AO_load(&expanded), released = pages_released_bytes();
    return wanted < released ? wanted : released;
}

static size_t live_bytes(void) { return AO_load(&heap.live); }

/* What free runs keep resident may be reused at once; the rest of what is free is unmapped. */
static size_t free_bytes(void) {
    size_t used = heap_bytes(), live = live_bytes(), all = used > live ? used - live : 0;
    size_t idle = pages_idle_bytes() + expansion_left();
    return idle < all ? idle : all;
}

static size_t unmapped_bytes(void) {
    size_t wanted = AO_load(&expanded), released = pages_released_bytes();
    return released > wanted ? released - wanted : 0;
}

static volatile AO_t freed_by_gone; /* by threads that have left; who leaves adds */

void statistics_thread_leaves(void) {
    AO_fetch_and_add(&freed_by_gone, thread_self->freed_bytes);
    thread_self->freed_bytes = 0;
}

static size_t freed_here(const struct thread *thread) {
    return *(const volatile size_t *)&thread->freed_bytes;
}

/* Without the registry's lock, which a stop holds while the program's functions ask: records are
 * never unmapped, and one that is not used has nothing to be counted. */
static size_t freed_bytes(void) {
    size_t freed = AO_load(&freed_by_gone) + freed_here(&thread_absent) + freed_here(&thread_left);
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        freed += freed_here(thread);
    return freed;
}

static size_t cached_in(const struct thread *thread) {
    size_t bytes = 0;
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        bytes += *(const volatile unsigned *)&thread->cache.bins[class].count *
                 sizes_bytes(sizes_size_class(class));
    return bytes;
}

static size_t cached_bytes(void) {
    size_t bytes = 0;
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->has_cache)
            bytes += cached_in(thread);
    return bytes;
}

/* What the program was given: what left the heap for good or in a cache, but what is in a cache
 * still; and what came back, which may have been given out again. Under the preload the program
 * also has what malloc gave it. */
static size_t allocated_bytes(void) {
    size_t allocated = AO_load(&heap.allocated);
    if (!api_stands_alone)
        return allocated;
    return allocated - AO_load(&heap.freed) + freed_bytes() - cached_bytes();
}

void statistics_cycle_begun(void) {
    allocated_now = allocated_bytes();
    freed_now = freed_bytes();
    collected_now = AO_load(&heap.collected);
}

size_t statistics_cycles(void) { return AO_load(&cycles_ended); }

void statistics_cycle_ended(void) {
    AO_fetch_and_add1(&cycles_ended);
    allocated_before = allocated_now - allocated_then;
    collected_before = collected_now - collected_then;
    allocated_then = allocated_now;
    freed_then = freed_now;
    collected_then = collected_now;
}

size_t GC_get_heap_size(void) { return heap_bytes() - unmapped_bytes(); }
size_t GC_get_free_bytes(void) { return free_bytes(); }
size_t GC_get_unmapped_bytes(void) { return unmapped_bytes(); }
size_t GC_get_bytes_since_gc(void) { return allocated_bytes() - allocated_then; }
size_t GC_get_expl_freed_bytes_since_gc(void) { return freed_bytes() - freed_then; }
size_t GC_get_total_bytes(void) { return allocated_bytes(); }
size_t GC_get_obtained_from_os_bytes(void) { return heap_bytes() + metadata_bytes_used(); }
size_t GC_get_memory_use(void) { return live_bytes(); }
GC_word GC_get_gc_no(void) { return GC_gc_no; }
unsigned GC_get_version(void) {
    return (unsigned)GC_VERSION_MAJOR << 16 | GC_VERSION_MINOR << 8 | GC_VERSION_MICRO;
}

static void fill(GC_word *to, GC_word value) {
    if (to)
        *to = value;
}

void GC_get_heap_usage_safe(GC_word *heap_size, GC_word *free, GC_word *unmapped, GC_word *since_gc,
                            GC_word *total) {
    lock_take(&weak_lock);
    fill(heap_size, GC_get_heap_size());
    fill(free, free_bytes());
    fill(unmapped, unmapped_bytes());
    fill(since_gc, GC_get_bytes_since_gc());
    fill(total, GC_get_total_bytes());
    lock_give(&weak_lock);
}

/* What the structure has beyond what we know of is set to all ones. */
size_t GC_get_prof_stats_unsafe(struct GC_prof_stats_s *statistics, size_t bytes) {
    struct GC_prof_stats_s now = {
        .heapsize_full = heap_bytes(),
        .free_bytes_full = free_bytes() + unmapped_bytes(),
        .unmapped_bytes = unmapped_bytes(),
        .bytes_allocd_since_gc = GC_get_bytes_since_gc(),
        .allocd_bytes_before_gc = allocated_before,
        .non_gc_bytes = GC_non_gc_bytes,
        .gc_no = GC_gc_no,
        .markers_m1 = GC_parallel,
        .bytes_reclaimed_since_gc = AO_load(&heap.collected) - collected_then,
        .reclaimed_bytes_before_gc = collected_before,
        .expl_freed_bytes_since_gc = GC_get_expl_freed_bytes_since_gc(),
        .obtained_from_os_bytes = GC_get_obtained_from_os_bytes(),
    };
    if (bytes > sizeof now)
        memset((char *)statistics + sizeof now, 0xff, bytes - sizeof now);
    memcpy(statistics, &now, bytes < sizeof now ? bytes : sizeof now);
    return bytes < sizeof now ? bytes : sizeof now;
}

size_t GC_get_prof_stats(struct GC_prof_stats_s *statistics, size_t bytes) {
    lock_take(&weak_lock);
    size_t filled = GC_get_prof_stats_unsafe(statistics, bytes);
    lock_give(&weak_lock);
    return filled;
}

static long long time_spent(void) {
    struct cycle_totals totals = cycle_totals();
    return totals.stop_total + totals.assist_total;
}

void GC_start_performance_measurement(void) {
    measuring = true;
    measured_from = time_spent();
}

/* What collecting took from the program's threads: stops, and what allocating threads paid. */
static long long time_measured(void) { return measuring ? time_spent() - measured_from : 0; }

unsigned long GC_get_full_gc_total_time(void) {
    return time_measured() / NANOSECONDS_PER_MILLISECOND;
}

unsigned long GC_get_full_gc_total_ns_frac(void) {
    return time_measured() % NANOSECONDS_PER_MILLISECOND;
}

/* In stops, measured from the first collection on. */
unsigned long GC_get_stopped_mark_total_time(void) {
    return cycle_totals().stop_total / NANOSECONDS_PER_MILLISECOND;
}

unsigned long GC_get_avg_stopped_mark_time_ns(void) {
    struct cycle_totals totals = cycle_totals();
    return totals.cycles ? totals.stop_total / (long long)totals.cycles : 0;
}
