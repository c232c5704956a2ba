/* Taking and giving pages; see pages.h. */
#include "heap/pages.h"

#include "heap/layout.h"
#include "heap/quarantine.h"
#include "heap/runs.h"
#include "os/clock.h"

#include <limits.h>

enum {
    IDLE_KEPT = 16 << 20,    /* bytes always worth keeping for a short while */
    IDLE_SHARE = 4,          /* as is a quarter of the live heap */
    IDLE_MILLISECONDS = 1000 /* and nothing is kept longer than this while memory is being freed */
};

static struct lock lock = LOCK_OF(RANK_PAGES);

/* Bytes from the start of the heap that were ever in a run. The first page never is: its address
 * stands in our own variables, which are roots like all others. */
static size_t used = HEAP_PAGE_BYTES;
static bool release_refused;
static volatile unsigned releasing; /* runs that are out of the bins meanwhile; under the lock */

void pages_lock(void) { lock_take(&lock); }
void pages_unlock(void) { lock_give(&lock); }

bool pages_may_lock(int milliseconds) {
    if (!lock_take_within(&lock, milliseconds))
        return false;
    lock_give(&lock);
    return true;
}

void pages_after_fork(void) { releasing = 0; }
size_t pages_idle_bytes(void) { return runs.idle_bytes; }
size_t pages_used_bytes(void) { return used; }
size_t pages_released_bytes(void) { return runs.released_bytes; }
size_t pages_resident_bytes(void) { return used - runs.released_bytes; }

static void page_table_enter(uintptr_t base, size_t count, struct span *span) {
    bool cached = sizes_size_class(span->span_class) != 0 && span->kind < OBJECT_SHAPED &&
                  !quarantine_is_on();
    runs_enter(base, count, span, cached ? span->span_class : 0);
}

enum { DENSE_PAGES = 16 };

/* Turns the next never-used pages of the heap into a free run. */
static bool heap_grow(size_t count, bool dense) {
    if (count > (heap.objects.reserved - used) / HEAP_PAGE_BYTES ||
        !heap_extend(used + count * HEAP_PAGE_BYTES, dense))
        return false;
    uintptr_t base = heap.objects.start + used;
    used += count * HEAP_PAGE_BYTES;
    run_make(base, count, true, false);
    return true;
}

bool pages_reserve(size_t bytes) {
    lock_take(&lock);
    bool grown = heap_grow((bytes + HEAP_PAGE_BYTES - 1) / HEAP_PAGE_BYTES, false);
    lock_give(&lock);
    return grown;
}

static uintptr_t align_up(uintptr_t address, size_t alignment) {
    return (address + alignment - 1) & ~(alignment - 1);
}

/* Releases one run. The system call is made without the lock; meanwhile the run is in no bin and
 * not in the page table, so nobody can take it or join it. */
static void run_release(struct run *run) {
    run_take_out(run);
    releasing++;
    lock_give(&lock);
    bool released = vm_release(run->span.base, (size_t)run->span.page_count * HEAP_PAGE_BYTES);
    lock_take(&lock);
    if (--releasing == 0)
        park_wake(&releasing, INT_MAX);
    run->span.zeroed = released;
    run->span.stale &= !released;
    release_refused |= !released;
    run_insert(run);
}

/* Bytes, or SIZE_MAX; who looked last how much memory is left, or must have more. */
static volatile AO_t most_resident = SIZE_MAX;

/* With the lock, which it may give up meanwhile. False when so many more pages would be too many
 * even without any idle ones. */
static bool make_room(size_t count) {
    while (runs.oldest && !release_refused &&
           pages_resident_bytes() + count * HEAP_PAGE_BYTES > AO_load(&most_resident))
        run_release(runs.oldest);
    return pages_resident_bytes() + count * HEAP_PAGE_BYTES <= AO_load(&most_resident);
}

void pages_bound_resident(size_t bytes) {
    AO_store(&most_resident, bytes);
    lock_take(&lock);
    make_room(0);
    lock_give(&lock);
}

bool pages_lift_bound(void) {
    bool bound = AO_load(&most_resident) != SIZE_MAX;
    AO_store(&most_resident, SIZE_MAX);
    return bound;
}

/* May give up the lock meanwhile. */
static struct run *find_or_grow(size_t count) {
    struct run *run = runs_find(RUN_IDLE, count);
    if (run || !make_room(count))
        return run;
    run = runs_find(RUN_RELEASED, count);
    if (run == NULL && heap_grow(count, count <= DENSE_PAGES))
        run = runs_find(RUN_RELEASED, count);
    return run;
}

/* What is left of the last block of each class: in no run and not in the page table. Not its
 * address: our own variables are roots, and where nothing is left, somebody else's object begins.
 */
struct block {
    size_t offset;
    size_t pages;
    bool zeroed, stale;
};

enum { BLOCK_BYTES = VM_HUGE_PAGE_BYTES, BLOCK_PAGES = BLOCK_BYTES / HEAP_PAGE_BYTES };

static struct block blocks[SPAN_CLASSES];

/* Where the heap has to grow anyway, it grows to a whole block. */
static struct run *grow_block(void) {
    uintptr_t end = heap.objects.start + used;
    size_t padding = (align_up(end, BLOCK_BYTES) - end) / HEAP_PAGE_BYTES;
    if ((padding > 0 && !heap_grow(padding, true)) || !heap_grow(BLOCK_PAGES, true))
        return NULL;
    return run_at(heap.objects.start + used - 1);
}

/* What is idle is used before what has no memory, even where it makes no block. */
static struct run *find_for_block(size_t count) {
    for (enum run_sort sort = RUN_IDLE; sort <= RUN_RELEASED; sort++) {
        struct run *run = runs_find(sort, 2 * BLOCK_PAGES - 1);
        if (run || runs_find(sort, count))
            return run;
    }
    return grow_block();
}

static bool block_end(struct block *block) {
    size_t pages = block->pages;
    block->pages = 0;
    run_make(heap.objects.start + block->offset, pages, block->zeroed, block->stale);
    return pages > 0;
}

static bool blocks_end(void) {
    bool any = false;
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        any |= block_end(&blocks[class]);
    return any;
}

void pages_end_block(unsigned span_class) {
    if (AO_load((volatile AO_t *)&blocks[span_class].pages) == 0)
        return;
    lock_take(&lock);
    block_end(&blocks[span_class]);
    lock_give(&lock);
}

/* What is left of the old one is given back first: it may join the run that is found. */
static bool block_renew(struct block *block, size_t count) {
    block_end(block);
    struct run *run = find_for_block(count);
    if (run == NULL)
        return false;
    uintptr_t base = align_up(run->span.base, BLOCK_BYTES);
    struct span whole = run_carve(run, base, BLOCK_PAGES);
    size_t offset = base - heap.objects.start;
    *block = (struct block){offset, BLOCK_PAGES, whole.zeroed, whole.stale};
    return true;
}

bool pages_take_together(struct span *span, size_t count) {
    struct block *block = &blocks[span->span_class];
    lock_take(&lock);
    bool taken = block->pages >= count || block_renew(block, count);
    if (taken) {
        span->base = heap.objects.start + block->offset;
        span->page_count = count;
        span->zeroed = block->zeroed;
        span->stale = block->stale;
        block->offset += count * HEAP_PAGE_BYTES;
        block->pages -= count;
        page_table_enter(span->base, count, span);
    }
    lock_give(&lock);
    return taken || pages_take(span, count, HEAP_PAGE_BYTES);
}

/* With the lock, which it gives up meanwhile: what others are just releasing. */
static void wait_for_releases(void) {
    for (unsigned seen; (seen = releasing) > 0;) {
        lock_give(&lock);
        park_wait(&releasing, seen, -1);
        lock_take(&lock);
    }
}

/* Before memory is said to be exhausted, what is left of blocks is taken, and what is just being
 * released is waited for. */
bool pages_take(struct span *span, size_t count, size_t alignment) {
    if (alignment < HEAP_PAGE_BYTES)
        alignment = HEAP_PAGE_BYTES;
    size_t slack = alignment / HEAP_PAGE_BYTES - 1, search;
    if (__builtin_add_overflow(count, slack, &search) || search > UINT32_MAX)
        return false;
    lock_take(&lock);
    struct run *run = find_or_grow(search);
    if (run == NULL && blocks_end())
        run = find_or_grow(search);
    while (run == NULL && releasing > 0) {
        wait_for_releases();
        run = find_or_grow(search);
    }
    if (run) {
        span->base = align_up(run->span.base, alignment);
        span->page_count = count;
        struct span whole = run_carve(run, span->base, count);
        page_table_enter(span->base, count, span);
        span->zeroed = whole.zeroed;
        span->stale = whole.stale;
    }
    lock_give(&lock);
    return run != NULL;
}

void pages_give(struct span *span, bool stale) {
    lock_take(&lock);
    runs_enter(span->base, span->page_count, NULL, 0);
    run_make(span->base, span->page_count, false, stale);
    lock_give(&lock);
}

bool pages_lengthen(struct span *span, size_t count) {
    uintptr_t end = span->base + (size_t)span->page_count * HEAP_PAGE_BYTES;
    size_t more = count - span->page_count;
    lock_take(&lock);
    bool room = make_room(more);
    struct run *behind = run_at(end);
    if (room && end == heap.objects.start + used && heap_grow(more, more <= DENSE_PAGES))
        behind = run_at(end);
    bool fits = room && behind && behind->span.base == end && behind->span.page_count >= more;
    if (fits) {
        span->stale |= run_carve(behind, end, more).stale;
        page_table_enter(end, more, span);
        span->page_count = count;
    }
    lock_give(&lock);
    return fits;
}

void pages_set_hidden(struct span *span, bool hidden) {
    if (hidden)
        runs_enter(span->base, span->page_count, span, 0);
    else
        page_table_enter(span->base, span->page_count, span);
}

void pages_hide_class(struct span *span) {
    lock_take(&lock);
    pages_set_hidden(span, true);
    lock_give(&lock);
}

void pages_shorten(struct span *span, size_t count) {
    uintptr_t end = span->base + count * HEAP_PAGE_BYTES;
    size_t less = span->page_count - count;
    lock_take(&lock);
    span->page_count = count;
    runs_enter(end, less, NULL, 0);
    run_make(end, less, false, false);
    lock_give(&lock);
}

static volatile AO_t kept; /* bytes; the conductor */

void pages_keep_idle(size_t bytes) { AO_store(&kept, bytes); }

static size_t idle_bound(void) {
    size_t share = AO_load(&heap.live) / IDLE_SHARE, least = AO_load(&kept);
    least = least + least / 4 > IDLE_KEPT ? least + least / 4 : IDLE_KEPT;
    return share > least ? share : least;
}

/* What is released when the bound is exceeded makes room for more to become idle. */
static size_t idle_target(void) {
    size_t half = idle_bound() / 2, least = AO_load(&kept);
    return half > least ? half : least;
}

void pages_release_idle(void) {
    if (runs.idle_bytes == 0 || release_refused)
        return;
    /* A glance without the lock: the run may go meanwhile, but its memory stays readable. */
    const struct run *glance = (struct run *)AO_load((volatile AO_t *)&runs.oldest);
    bool old = glance && clock_coarse_milliseconds() - glance->since > IDLE_MILLISECONDS;
    if (!old && runs.idle_bytes <= idle_bound())
        return;
    lock_take(&lock);
    size_t bound = idle_bound();
    size_t target = runs.idle_bytes > bound ? idle_target() : runs.idle_bytes;
    long stale = clock_coarse_milliseconds() - IDLE_MILLISECONDS;
    while (runs.oldest && !release_refused &&
           (runs.idle_bytes > target || runs.oldest->since < stale))
        run_release(runs.oldest);
    lock_give(&lock);
}

bool pages_release_all(void) {
    lock_take(&lock);
    blocks_end();
    size_t before = runs.idle_bytes;
    while (runs.oldest && !release_refused)
        run_release(runs.oldest);
    bool less = runs.idle_bytes < before;
    wait_for_releases();
    lock_give(&lock);
    return less;
}
