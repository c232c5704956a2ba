/* Making, listing and destroying spans; see span.h. */
#include "heap/span.h"

#include "heap/layout.h"
#include "heap/metadata.h"
#include "heap/notes.h"
#include "heap/object.h"
#include "heap/pages.h"

#include <string.h>

struct span_set span_sets[SPAN_CLASSES] = {[0 ... SPAN_CLASSES - 1] = {.lock = LOCK_OF(RANK_SETS)}};

/* Free descriptors by size. The locks of sets are above this one, so whoever holds all of those
 * need not take it. */
enum { DESCRIPTOR_BINS = METADATA_LARGEST_REUSED / SPAN_DESCRIPTOR_UNIT + 1 };
static struct lock descriptor_lock = LOCK_OF(RANK_DESCRIPTORS);
static struct span *free_descriptors[2][DESCRIPTOR_BINS]; /* without shapes and with them */

/* A block is an eighth of what its class has, at most. Blocks begin long before huge pages do,
 * because those of a heap that has grown large are put together in what was small, too. */
enum {
    TOGETHER_PAGES = (16 << 20) / HEAP_PAGE_BYTES,
    TOGETHER_FROM = 64 << 20 /* bytes of heap */
};

static bool has_shapes(unsigned span_class) { return sizes_kind(span_class) >= OBJECT_SHAPED; }

static struct span **descriptor_bin(unsigned span_class, unsigned tail_bytes) {
    size_t bin = span_descriptor_bytes(tail_bytes) / SPAN_DESCRIPTOR_UNIT;
    return &free_descriptors[has_shapes(span_class)][bin];
}

static unsigned tail_bytes(unsigned span_class, unsigned objects) {
    return has_shapes(span_class) ? (objects + 1) / 2 * 2 + objects * sizeof(short) : objects;
}

static struct span *descriptor_take(unsigned span_class, unsigned tail_bytes) {
    struct span **bin = descriptor_bin(span_class, tail_bytes);
    lock_take(&descriptor_lock);
    struct span *span = *bin;
    if (span)
        *bin = span->next;
    lock_give(&descriptor_lock);
    if (span == NULL) {
        size_t bytes = span_descriptor_bytes(tail_bytes);
        span = metadata_take(bytes);
        if (span == NULL)
            return NULL;
        memset(span, 0, bytes);
    }
    span->next = span->previous = NULL;
    span->list = SPAN_UNLISTED;
    span->closed = span->lent = false;
    span->search_from = 0;
    AO_store(&span->scanned, 0);
    span->tail_bytes = tail_bytes;
    return span;
}

static void descriptor_give(struct span *span) {
    struct span **bin = descriptor_bin(span->span_class, span->tail_bytes);
    lock_take(&descriptor_lock);
    span->next = *bin;
    *bin = span;
    lock_give(&descriptor_lock);
}

void span_after_fork(void) {
    for (int shapes = 0; shapes < 2; shapes++)
        for (size_t bin = 0; bin < DESCRIPTOR_BINS; bin++)
            for (struct span *span = free_descriptors[shapes][bin]; span; span = span->next)
                AO_char_store(&span->queued, 0);
}

static struct span *span_make(unsigned span_class, unsigned objects, size_t pages,
                              size_t alignment) {
    struct span *span = descriptor_take(span_class, tail_bytes(span_class, objects));
    if (span == NULL)
        return NULL;
    span->span_class = span_class;
    span->kind = sizes_kind(span_class);
    span->epoch = span_set_of(span)->epoch;
    bool together = objects > 1 && span_set_of(span)->pages >= TOGETHER_PAGES &&
                    pages_used_bytes() >= TOGETHER_FROM;
    if (!(together ? pages_take_together(span, pages) : pages_take(span, pages, alignment))) {
        descriptor_give(span);
        return NULL;
    }
    notes_make(span, objects);
    return span;
}

static struct span *make_small(unsigned span_class, unsigned pages) {
    unsigned size_class = sizes_size_class(span_class);
    unsigned objects = sizes_span_objects(size_class, pages);
    struct span *span = span_make(span_class, objects, pages, HEAP_PAGE_BYTES);
    if (span == NULL)
        return NULL;
    span_sets[span_class].pages += pages;
    memset(span->states, span->stale ? OBJECT_STALE : OBJECT_FREE, objects);
    span->object_bytes = sizes_bytes(size_class);
    span->reciprocal = (((uint64_t)1 << 40) + span->object_bytes - 1) / span->object_bytes;
    span->free_count = objects;
    if (has_shapes(span_class))
        memset(span_shape(span, objects - 1), 0, objects * sizeof(short));
    AO_int_store_release(&span->object_count, objects);
    return span;
}

struct span *span_make_small(unsigned span_class) {
    unsigned size_class = sizes_size_class(span_class);
    unsigned pages = sizes_span_pages(size_class, span_sets[span_class].pages);
    unsigned fewest = sizes_span_pages(size_class, 0);
    struct span *span = make_small(span_class, pages);
    return span || pages == fewest ? span : make_small(span_class, fewest);
}

struct span *span_make_large(size_t bytes, size_t alignment, enum object_kind kind) {
    size_t pages = (bytes + HEAP_PAGE_BYTES - 1) / HEAP_PAGE_BYTES;
    if (pages > UINT32_MAX)
        return NULL;
    struct span *span = span_make(sizes_span_class_of(0, kind), 1, pages, alignment);
    if (span == NULL)
        return NULL;
    span->object_bytes = pages * HEAP_PAGE_BYTES;
    span->reciprocal = 0;
    span->free_count = 0;
    if (has_shapes(span->span_class))
        *span_shape(span, 0) = 0;
    span->states[0] = object_live_colour();
    AO_int_store_release(&span->object_count, 1);
    return span;
}

void span_destroy(struct span *span, bool stale) {
    struct span_set *set = span_set_of(span);
    if (!span_is_large(span))
        set->pages -= span->page_count;
    if (set->pages < TOGETHER_PAGES)
        pages_end_block(span->span_class);
    notes_drop(span, span->object_count);
    AO_int_store_full(&span->object_count, 0);
    pages_give(span, stale);
    descriptor_give(span);
}

static struct span_ring *ring_of(struct span *span) {
    struct span_set *set = span_set_of(span);
    if (span_is_unswept(span))
        return &set->unswept;
    switch (span->list) {
    case SPAN_PARTIAL:
        return &set->partial;
    case SPAN_FULL:
        return &set->full;
    default:
        return NULL;
    }
}

static void ring_remove(struct span_ring *ring, struct span *span) {
    *(span->previous ? &span->previous->next : &ring->first) = span->next;
    *(span->next ? &span->next->previous : &ring->last) = span->previous;
    span->next = span->previous = NULL;
}

static void ring_append(struct span_ring *ring, struct span *span) {
    span->previous = ring->last;
    *(ring->last ? &ring->last->next : &ring->first) = span;
    ring->last = span;
}

void span_move(struct span *span, enum span_list list) {
    struct span_ring *from = ring_of(span);
    if (from)
        ring_remove(from, span);
    span->list = list;
    span->epoch = span_set_of(span)->epoch;
    struct span_ring *to = ring_of(span);
    if (to)
        ring_append(to, span);
}

static void ring_join(struct span_ring *to, struct span_ring *from) {
    if (from->first == NULL)
        return;
    from->first->previous = to->last;
    *(to->last ? &to->last->next : &to->first) = from->first;
    to->last = from->last;
    *from = (struct span_ring){NULL, NULL};
}

void span_set_unsweep(struct span_set *set) {
    ring_join(&set->unswept, &set->partial);
    ring_join(&set->unswept, &set->full);
    set->epoch++;
}

void span_sets_lock(void) {
    for (size_t i = 0; i < SPAN_CLASSES; i++)
        lock_take(&span_sets[i].lock);
}

void span_sets_unlock(void) {
    for (size_t i = SPAN_CLASSES; i-- > 0;)
        lock_give(&span_sets[i].lock);
}
