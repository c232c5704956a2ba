/* A cursor through the heap; see relax.h. */
#include "cycle/relax.h"

#include "heap/layout.h"
#include "heap/pages.h"
#include "mark/roots.h"
#include "os/clock.h"
#include "os/dirty.h"
#include "os/limits.h"
#include "os/vm.h"

#include <atomic_ops.h>

/* Copying a huge page takes about 0.1 ms, but many times that where the kernel has to make room for
 * it first. */
enum {
    CHUNK_BYTES = 8 << 20,
    NANOSECONDS_A_CHUNK = 1000000 /* on average, for putting it together */
};

static volatile AO_t next;      /* bytes of the heap; any thread adds */
static volatile AO_t end;       /* the conductor */
static volatile AO_t collapsed; /* chunks since the process started; any thread adds */
static volatile AO_t left;      /* chunks to be put together; any thread takes */
static volatile AO_t spent;     /* nanoseconds on that since the cycle; any thread adds */
static volatile AO_t idle;      /* 1 while a processor is left for that; the conductor */

/* Whether pages are put together: asked once, by a thread of the program's, which may end it, too.
 */
static volatile bool asked, collapses;

void relax_fork(void) {
    asked = true;
    collapses = false;
}

static size_t chunks_of(size_t bytes) { return (bytes + CHUNK_BYTES - 1) / CHUNK_BYTES; }

/* The heap's as of the cycle's end, and then those of the metadata. */
static size_t chunks_to_collapse(void) {
    return chunks_of(AO_load(&end)) + chunks_of(AO_load(&heap.metadata.committed));
}

/* Putting pages together costs a program that keeps all processors busy more than it gets back.
 * Half a processor is taken as an idle one, because the collector has used some meanwhile. */
static bool leaves_processor(void) {
    static long long since, used;
    long long before = since, used_before = used;
    since = clock_nanoseconds();
    used = clock_process_nanoseconds();
    return used - used_before < (since - before) * (limits_processors() - 0.5);
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
    if (relaxed && to == most && most >= HEAP_LARGE_BYTES && AO_load(&idle))
        AO_store_release(&left, chunks_to_collapse());
    return true;
}

static bool take_chunk(void) {
    size_t have;
    do
        have = AO_load_acquire(&left);
    while (have > 0 && !AO_compare_and_swap_full(&left, have, have - 1));
    return have > 0;
}

static void collapse_part(uintptr_t start, size_t from, size_t most) {
    vm_collapse(start + from, start + (from + CHUNK_BYTES < most ? from + CHUNK_BYTES : most));
}

/* Round and round. A fork may have come since the cycle ended. */
static bool collapse_chunk(void) {
    size_t most = AO_load(&end), chunks = chunks_to_collapse();
    if (!collapses || !take_chunk() || AO_load(&spent) > chunks * NANOSECONDS_A_CHUNK)
        return false;
    size_t chunk = AO_fetch_and_add(&collapsed, 1) % chunks;
    long long start = clock_thread_nanoseconds();
    if (chunk < chunks_of(most))
        collapse_part(heap.objects.start, chunk * CHUNK_BYTES, most);
    else
        collapse_part(heap.metadata.start, (chunk - chunks_of(most)) * CHUNK_BYTES,
                      AO_load(&heap.metadata.committed));
    AO_fetch_and_add(&spent, clock_thread_nanoseconds() - start);
    return true;
}

bool relax_some(void) { return relax_chunk() || collapse_chunk(); }
