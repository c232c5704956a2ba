/* See runs.h. */
#include "heap/runs.h"

#include "heap/layout.h"
#include "heap/metadata.h"
#include "os/clock.h"

#include <string.h>

enum {
    EXACT_BINS = 64,
    BINS = EXACT_BINS + 4 * 26,
    BIN_WORDS = (BINS + 63) / 64,
    TRIES_IN_BIN = 16
};

struct bins {
    struct run *first[BINS];
    uint64_t occupied[BIN_WORDS];
};

struct runs runs;

static struct bins idle_bins, released_bins;

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

void runs_enter(uintptr_t base, size_t count, struct span *span, unsigned class) {
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
    runs_enter(run->span.base, 1, NULL, 0);
    runs_enter(run->span.base + (size_t)(run->span.page_count - 1) * HEAP_PAGE_BYTES, 1, NULL, 0);
}

static size_t run_bytes(const struct run *run) {
    return (size_t)run->span.page_count * HEAP_PAGE_BYTES;
}

static void age_append(struct run *run) {
    run->newer = NULL;
    run->older = runs.newest;
    *(runs.newest ? &runs.newest->newer : &runs.oldest) = run;
    runs.newest = run;
    run->since = clock_coarse_milliseconds();
    runs.idle_bytes += run_bytes(run);
}

static void age_remove(struct run *run) {
    *(run->older ? &run->older->newer : &runs.oldest) = run->newer;
    *(run->newer ? &run->newer->older : &runs.newest) = run->older;
    runs.idle_bytes -= run_bytes(run);
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
        runs.released_bytes += run_bytes(run);
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
        runs.released_bytes -= run_bytes(run);
    else
        age_remove(run);
}

/* The free run that a page begins or ends; NULL when it does neither. */
struct run *run_at(uintptr_t address) {
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
void run_insert(struct run *run) {
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
void run_make(uintptr_t base, size_t count, bool zeroed, bool stale) {
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
struct span run_carve(struct run *run, uintptr_t base, size_t count) {
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

struct run *runs_find(enum run_sort sort, size_t count) {
    return bins_find(sort == RUN_IDLE ? &idle_bins : &released_bins, count);
}

void run_take_out(struct run *run) {
    bin_remove(run);
    page_table_clear_ends(run);
}
