/* A cursor through the heap; see relax.h. */
#include "cycle/relax.h"

#include "heap/layout.h"
#include "heap/pages.h"
#include "mark/roots.h"
#include "os/dirty.h"
#include "os/limits.h"
#include "os/vm.h"

#include <atomic_ops.h>

enum { CHUNK_BYTES = 32 << 20, LARGE_HEAP_BYTES = 64 << 20 };

static volatile AO_t next; /* bytes of the heap; any thread adds */
static volatile AO_t end;  /* the conductor */

/* Whether pages are put together: asked once, by a thread of the program's; ended by any. */
static volatile bool asked, collapses;

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
    AO_store(&end, pages_used_bytes());
    AO_store_release(&next, 0);
}

bool relax_some(void) {
    size_t most = AO_load(&end), from;
    if (AO_load_acquire(&next) >= most || (from = AO_fetch_and_add(&next, CHUNK_BYTES)) >= most)
        return false;
    size_t to = from + CHUNK_BYTES < most ? from + CHUNK_BYTES : most;
    uintptr_t base = heap.objects.start;
    if (dirty_relax(base + from, base + to) && collapses && most >= LARGE_HEAP_BYTES)
        collapses &= vm_collapse(base + from, base + to);
    return true;
}
