/* A cursor through the heap; see relax.h. */
#include "cycle/relax.h"

#include "cycle/worker.h"
#include "heap/layout.h"
#include "heap/pages.h"
#include "os/clock.h"
#include "os/dirty.h"
#include "os/limits.h"
#include "os/processors.h"
#include "os/vm.h"
#include "roots/roots.h"

#include <atomic_ops.h>

/* Copying a huge page takes 0.15 ms when memory is quiet and 0.4 ms beside threads that wait for it
 * all the time, but many times that where the kernel has to make room for it first. */
enum {
    CHUNK_BYTES = 8 << 20,           /* made writable at once */
    PART_BYTES = VM_HUGE_PAGE_BYTES, /* put together at once */
    NANOSECONDS_A_PART = 400000,     /* on average */
    ALLOCATED_A_PART = 64 << 10      /* bytes, for each that the program puts together itself */
};

static volatile AO_t next;           /* bytes of the heap; any thread adds */
static volatile AO_t end;            /* the conductor */
static volatile AO_t left;           /* parts to be put together; any thread takes */
static volatile AO_t spent;          /* nanoseconds on that since the cycle; any thread adds */
static volatile unsigned collapsing; /* 1 while a thread of the program's does; others go on */
static volatile AO_t allocated;      /* bytes since the program last put a part together; it adds */
static volatile AO_t idle;           /* 1 while a processor is left for all this; the conductor */

/* Whether pages are put together: asked once, by a thread of the program's, which may end it, too.
 */
static volatile bool asked, collapses;

void relax_fork(void) {
    asked = true;
    collapses = false;
    AO_store(&left, 0);
}

static size_t parts_of(size_t bytes) { return (bytes + PART_BYTES - 1) / PART_BYTES; }

/* The heap's as of the cycle's end, and then those of the metadata. */
static size_t parts_to_collapse(void) {
    return parts_of(AO_load(&end)) + parts_of(AO_load(&heap.metadata.committed));
}

/* Half a processor is taken as an idle one, because the collector has used some meanwhile. */
static bool leaves_processor(void) {
    static long long since, used;
    long long before = since, used_before = used;
    since = clock_nanoseconds();
    used = clock_process_nanoseconds();
    return used - used_before < (since - before) * (processors_count() - 0.5);
}

void relax_prepare(void) {
    if (asked)
        return;
    asked = true;
    leaves_processor();
    collapses = limits_huge_pages() && vm_can_collapse();
}

void relax_begin(void) {
    size_t bytes = pages_used_bytes();
    roots_relax();
    AO_store(&idle, leaves_processor());
    AO_store(&spent, 0);
    AO_store(&left, 0);
    AO_store(&end, bytes);
    AO_store_release(&next, 0);
}

static bool relax_chunk(void) {
    size_t most = AO_load(&end), from;
    if (AO_load_acquire(&next) >= most || (from = AO_fetch_and_add(&next, CHUNK_BYTES)) >= most)
        return false;
    size_t to = from + CHUNK_BYTES < most ? from + CHUNK_BYTES : most;
    uintptr_t base = heap.objects.start;
    bool relaxed = dirty_relax(base + from, base + to);
    if (relaxed && collapses && to == most && most >= HEAP_LARGE_BYTES)
        AO_store_release(&left, parts_to_collapse());
    return true;
}

/* Which part, from the last on; less than 0 when none is left. */
static long take_part(void) {
    size_t have;
    do
        have = AO_load_acquire(&left);
    while (have > 0 && !AO_compare_and_swap_full(&left, have, have - 1));
    return (long)have - 1;
}

static void collapse(uintptr_t base, size_t part, size_t most) {
    size_t from = part * PART_BYTES;
    vm_collapse(base + from, base + (from + PART_BYTES < most ? from + PART_BYTES : most));
}

/* The metadata, and then the heap from its end on: what it has grown by since it was large consists
 * of huge pages that were split, and as soon as one is copied the kernel has it for the next. A
 * fork may have come since the cycle ended. */
static bool collapse_part(void) {
    long part = collapses ? take_part() : -1;
    size_t most = AO_load(&end), parts = parts_to_collapse();
    if (part < 0 || AO_load(&spent) > parts * NANOSECONDS_A_PART)
        return false;
    long long start = clock_thread_nanoseconds();
    if ((size_t)part < parts_of(most))
        collapse(heap.objects.start, part, most);
    else
        collapse(heap.metadata.start, part - parts_of(most), AO_load(&heap.metadata.committed));
    AO_fetch_and_add(&spent, clock_thread_nanoseconds() - start);
    return true;
}

static bool is_workers(void) { return AO_load(&idle) && worker_count() > 0; }

bool relax_some(void) { return is_workers() && (relax_chunk() || collapse_part()); }

bool relax_is_due(size_t bytes) {
    if (is_workers())
        return false;
    if (AO_load(&next) < AO_load(&end))
        return true;
    return AO_load(&left) > 0 && AO_fetch_and_add(&allocated, bytes) + bytes >= ALLOCATED_A_PART;
}

void relax_share(void) {
    if (relax_chunk() || !AO_int_compare_and_swap_full(&collapsing, 0, 1))
        return;
    AO_store(&allocated, 0);
    collapse_part();
    AO_int_store_release(&collapsing, 0);
}
