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

/* A huge page takes about 0.1 ms, but many times that when the kernel has to move others for it. */
enum {
    CHUNK_BYTES = 8 << 20,
    LARGE_HEAP_BYTES = 64 << 20,
    MOST_NANOSECONDS = 4000000 /* for a chunk's huge pages; else they are left until next time */
};

static volatile AO_t next; /* bytes of the heap; any thread adds */
static volatile AO_t end;  /* the conductor */

/* Whether pages are put together: asked once, by a thread of the program's; ended by any. */
static volatile bool asked, collapses;
static volatile bool too_slow; /* any thread; the conductor clears it */

void relax_prepare(void) {
    if (asked)
        return;
    asked = true;
    collapses = limits_huge_pages();
}

void relax_fork(void) {
    asked = true;
    collapses = false;
}

void relax_begin(void) {
    roots_relax();
    too_slow = false;
    AO_store(&end, pages_used_bytes());
    AO_store_release(&next, 0);
}

static void collapse(uintptr_t from, uintptr_t to) {
    long long start = clock_thread_nanoseconds();
    if (!vm_collapse(from, to))
        collapses = false;
    if (clock_thread_nanoseconds() - start > MOST_NANOSECONDS)
        too_slow = true;
}

bool relax_some(void) {
    size_t most = AO_load(&end), from;
    if (AO_load_acquire(&next) >= most || (from = AO_fetch_and_add(&next, CHUNK_BYTES)) >= most)
        return false;
    size_t to = from + CHUNK_BYTES < most ? from + CHUNK_BYTES : most;
    uintptr_t base = heap.objects.start;
    bool relaxed = dirty_relax(base + from, base + to);
    if (relaxed && collapses && !too_slow && most >= LARGE_HEAP_BYTES)
        collapse(base + from, base + to);
    return true;
}
