/* Free runs of pages in bins by length; see pages.h. */
#include "heap/pages.h"

#include "heap/layout.h"
#include "heap/metadata.h"
#include "heap/quarantine.h"
#include "os/clock.h"

#include <limits.h>
#include <string.h>

/* A free run is a span without objects, so that the page table needs only one kind of entry. */
struct run {
    struct run *older, *newer; /* idle runs in the order in which they became idle */
    long since;                /* milliseconds, for idle runs */
    struct span span;          /* last, because of the states it does not have */
};

enum {
    EXACT_BINS = 64,
    BINS = EXACT_BINS + 4 * 26,
    BIN_WORDS = (BINS + 63) / 64,
    TRIES_IN_BIN = 16,
    IDLE_KEPT = 16 << 20,    /* bytes always worth keeping for a short while */
    IDLE_SHARE = 4,          /* as is a quarter of the live heap */
    IDLE_MILLISECONDS = 1000 /* and nothing is kept longer than this while memory is being freed */
};

struct bins {
    struct run *first[BINS];
    uint64_t occupied[BIN_WORDS];
};

static struct lock lock = LOCK_INITIALIZER;
static struct bins idle_bins, released_bins;
static struct run *oldest, *newest;
static size_t idle_bytes; /* under the lock; read without it as a hint */
static size_t released_bytes;

/* Bytes from the start of the heap that were ever in a run. The first page never is: its address
 * stands in our own variables, which are roots like all others. */
static size_t used = HEAP_PAGE_BYTES;
static bool release_refused;
static volatile unsigned releasing; /* runs that are out of the bins meanwhile; under the lock */

void pages_lock(void) { lock_take(&lock); }
void pages_unlock(void) { lock_give(&lock); }
void pages_after_fork(void) { releasing = 0; }
size_t pages_idle_bytes(void) { return idle_bytes; }
size_t pages_used_bytes(void) { return used; }
size_t pages_released_bytes(void) { return released_bytes; }
size_t pages_resident_bytes(void) { return used - released_bytes; }

/* The run that a span which lists as one belongs to; NULL for NULL. */
static struct run *run_of(struct span *span) {
    return span ? (struct run *)((char *)span - offsetof(struct run, span)) : NULL;
}

/* Bins of one length each up to 63 pages, then four a doubling. */
static unsigned bin_of(size_t count) {
    if (count < EXACT_BINS)
        return count;
    unsigned doubling = 63 - __builtin_clzl(count);
    return EXACT_BINS + (doubling - 6) * 4 + (count >> (doubling - 2) & 3);
}

static struct bins *bins_for(const struct run *run) {
    return run->span.zeroed ? &released_bins : &idle_bins;
}

static void page_table_set(uintptr_t base, size_t count, struct span *span, unsigned class) {
    size_t first = heap_page_of(base);
    for (size_t i = 0; i < count; i++) {
        AO_store((volatile AO_t *)&heap.page_spans[first + i], (AO_t)span);
        heap.page_classes[first + i] = class;
    }
}

static void page_table_set_ends(struct run *run) {
    size_t first = heap_page_of(run->span.base);
    AO_t entry = (AO_t)&run->span | PAGE_IS_FREE;
    AO_store((volatile AO_t *)&heap.page_spans[first], entry);
    AO_store((volatile AO_t *)&heap.page_spans[first + run->span.page_count - 1], entry);
}

/* Entries inside a free run are NULL: its descriptor may go while they stay. */
static void page_table_clear_ends(struct run *run) {
    page_table_set(run->span.base, 1, NULL, 0);
    page_table_set(run->span.base + (size_t)(run->span.page_count - 1) * HEAP_PAGE_BYTES, 1, NULL,
                   0);
}

static size_t run_bytes(const struct run *run) {
    return (size_t)run->span.page_count * HEAP_PAGE_BYTES;
}

static void age_append(struct run *run) {
    run->newer = NULL;
    run->older = newest;
    *(newest ? &newest->newer : &oldest) = run;
    newest = run;
    run->since = clock_coarse_milliseconds();
    idle_bytes += run_bytes(run);
}

static void age_remove(struct run *run) {
    *(run->older ? &run->older->newer : &oldest) = run->newer;
    *(run->newer ? &run->newer->older : &newest) = run->older;
    idle_bytes -= run_bytes(run);
}

static void bin_insert(struct run *run) {
    struct bins *bins = bins_for(run);
    unsigned bin = bin_of(run->span.page_count);
    run->span.previous = NULL;
    run->span.next = bins->first[bin] ? &bins->first[bin]->span : NULL;
    if (run->span.next)
        run->span.next->previous = &run->span;
    bins->first[bin] = run;
    bins->occupied[bin / 64] |= (uint64_t)1 << bin % 64;
    if (run->span.zeroed)
        released_bytes += run_bytes(run);
    else
        age_append(run);
}

static void bin_remove(struct run *run) {
    struct bins *bins = bins_for(run);
    unsigned bin = bin_of(run->span.page_count);
    if (run->span.next)
        run->span.next->previous = run->span.previous;
    if (run->span.previous)
        run->span.previous->next = run->span.next;
    else
        bins->first[bin] = run_of(run->span.next);
    if (bins->first[bin] == NULL)
        bins->occupied[bin / 64] &= ~((uint64_t)1 << bin % 64);
    if (run->span.zeroed)
        released_bytes -= run_bytes(run);
    else
        age_remove(run);
}

/* The free run that a page begins or ends; NULL when it does neither. */
static struct run *run_at(uintptr_t address) {
    if (!heap_contains(address))
        return NULL;
    AO_t entry = AO_load((volatile AO_t *)&heap.page_spans[heap_page_of(address)]);
    return entry & PAGE_IS_FREE ? run_of((struct span *)(entry & ~(AO_t)PAGE_IS_FREE)) : NULL;
}

/* The free run a page belongs to at one of its ends, if it may join a run of this sort. */
static struct run *neighbour(uintptr_t address, bool zeroed) {
    struct run *run = run_at(address);
    return run && run->span.zeroed == zeroed ? run : NULL;
}

static void run_absorb(struct run *run, struct run *other) {
    bin_remove(other);
    page_table_clear_ends(other);
    if (other->span.base < run->span.base)
        run->span.base = other->span.base;
    run->span.page_count += other->span.page_count;
    run->span.stale |= other->span.stale;
    metadata_give(other, sizeof *other);
}

/* Joins a run with what is free on both sides and puts it into its bin. The entries of its pages
 * must already be clear. */
static void run_insert(struct run *run) {
    uintptr_t end = run->span.base + (size_t)run->span.page_count * HEAP_PAGE_BYTES;
    struct run *before = neighbour(run->span.base - 1, run->span.zeroed);
    struct run *behind = neighbour(end, run->span.zeroed);
    if (before)
        run_absorb(run, before);
    if (behind)
        run_absorb(run, behind);
    page_table_set_ends(run);
    bin_insert(run);
}

/* Pages that no descriptor can be had for stay out of use until their neighbours are freed. */
static void run_make(uintptr_t base, size_t count, bool zeroed, bool stale) {
    struct run *run = count > 0 ? metadata_take(sizeof *run) : NULL;
    if (run == NULL)
        return;
    memset(run, 0, sizeof *run);
    run->span.base = base;
    run->span.page_count = count;
    run->span.zeroed = zeroed;
    run->span.stale = stale;
    run_insert(run);
}

static struct run *bin_first_fit(struct bins *bins, unsigned bin, size_t count) {
    struct run *run = bins->first[bin];
    for (int tries = 0; run && tries < TRIES_IN_BIN; tries++) {
        if (run->span.page_count >= count)
            return run;
        run = run_of(run->span.next);
    }
    return NULL;
}

static struct run *bins_find(struct bins *bins, size_t count) {
    unsigned bin = bin_of(count);
    struct run *run = bin_first_fit(bins, bin, count);
    if (run || ++bin >= BINS)
        return run;
    uint64_t mask = ~(uint64_t)0 << bin % 64;
    for (size_t word = bin / 64; word < BIN_WORDS; word++, mask = ~(uint64_t)0)
        if (bins->occupied[word] & mask)
            return bins->first[word * 64 + __builtin_ctzl(bins->occupied[word] & mask)];
    return NULL;
}

/* Cuts [base, base + count pages) out of a free run; what is left on either side stays free.
 * Returns what the run was. */
static struct span run_carve(struct run *run, uintptr_t base, size_t count) {
    struct span whole = run->span;
    uintptr_t end = base + count * HEAP_PAGE_BYTES;
    uintptr_t whole_end = whole.base + (size_t)whole.page_count * HEAP_PAGE_BYTES;
    bin_remove(run);
    page_table_clear_ends(run);
    metadata_give(run, sizeof *run);
    run_make(whole.base, (base - whole.base) / HEAP_PAGE_BYTES, whole.zeroed, whole.stale);
    run_make(end, (whole_end - end) / HEAP_PAGE_BYTES, whole.zeroed, whole.stale);
    return whole;
}

static void page_table_enter(uintptr_t base, size_t count, struct span *span) {
    bool cached = sizes_size_class(span->span_class) != 0 && span->kind < OBJECT_SHAPED &&
                  !quarantine_is_on();
    page_table_set(base, count, span, cached ? span->span_class : 0);
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
    bin_remove(run);
    page_table_clear_ends(run);
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
    while (oldest && !release_refused &&
           pages_resident_bytes() + count * HEAP_PAGE_BYTES > AO_load(&most_resident))
        run_release(oldest);
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
    struct run *run = bins_find(&idle_bins, count);
    if (run || !make_room(count))
        return run;
    run = bins_find(&released_bins, count);
    if (run == NULL && heap_grow(count, count <= DENSE_PAGES))
        run = bins_find(&released_bins, count);
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
    struct bins *const bins[] = {&idle_bins, &released_bins};
    for (int i = 0; i < 2; i++) {
        struct run *run = bins_find(bins[i], 2 * BLOCK_PAGES - 1);
        if (run || bins_find(bins[i], count))
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
    page_table_set(span->base, span->page_count, NULL, 0);
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

void pages_hide_class(const struct span *span) {
    lock_take(&lock);
    page_table_set(span->base, span->page_count, (struct span *)span, 0);
    lock_give(&lock);
}

void pages_shorten(struct span *span, size_t count) {
    uintptr_t end = span->base + count * HEAP_PAGE_BYTES;
    size_t less = span->page_count - count;
    lock_take(&lock);
    span->page_count = count;
    page_table_set(end, less, NULL, 0);
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
    if (idle_bytes == 0 || release_refused)
        return;
    /* A glance without the lock: the run may go meanwhile, but its memory stays readable. */
    const struct run *glance = (struct run *)AO_load((volatile AO_t *)&oldest);
    bool old = glance && clock_coarse_milliseconds() - glance->since > IDLE_MILLISECONDS;
    if (!old && idle_bytes <= idle_bound())
        return;
    lock_take(&lock);
    size_t bound = idle_bound();
    size_t target = idle_bytes > bound ? idle_target() : idle_bytes;
    long stale = clock_coarse_milliseconds() - IDLE_MILLISECONDS;
    while (oldest && !release_refused && (idle_bytes > target || oldest->since < stale))
        run_release(oldest);
    lock_give(&lock);
}

bool pages_release_all(void) {
    lock_take(&lock);
    blocks_end();
    size_t before = idle_bytes;
    while (oldest && !release_refused)
        run_release(oldest);
    bool less = idle_bytes < before;
    wait_for_releases();
    lock_give(&lock);
    return less;
}
