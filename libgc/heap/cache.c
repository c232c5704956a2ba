/* Refilling and flushing thread caches, between a bin and the spans of its set; see cache.h. */
#include "heap/cache.h"

#include "heap/layout.h"
#include "heap/metadata.h"
#include "heap/object.h"
#include "heap/pages.h"
#include "heap/span.h"
#include "heap/sweep.h"
#include "os/log.h"

#include <limits.h>
#include <string.h>

enum { FIRST_LIMIT = 8, MARKING_BYTES = 2048 /* taken at once while a mark goes on */ };

static size_t object_bytes_of(unsigned span_class) {
    return sizes_bytes(sizes_size_class(span_class));
}

static size_t slots_bytes(void) {
    size_t slots = 0;
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        slots += sizes_cache_limit(class);
    return slots * sizeof(void *);
}

/* The slots of a cache that was in use before are still there. */
bool cache_start(struct cache *cache) {
    void **slots = cache->bins[0].slots;
    if (slots == NULL && (slots = metadata_take(slots_bytes())) == NULL)
        return false;
    cache->bins[0].slots = slots;
    for (unsigned class = 0; class < SPAN_CLASSES; class ++) {
        unsigned limit = sizes_cache_limit(class),
                 first = limit < FIRST_LIMIT ? limit : FIRST_LIMIT;
        cache->bins[class] = (struct cache_bin){slots, 0, first};
        slots += limit;
    }
    return true;
}

static void bin_lengthen(struct cache_bin *bin, unsigned span_class) {
    unsigned most = sizes_cache_limit(span_class);
    bin->limit = bin->limit * 2 > most ? most : bin->limit * 2;
}

static const uint64_t low_bits = 0x0101010101010101u, high_bits = 0x8080808080808080u;

/* The highest bit of each byte that is a free state. */
static uint64_t free_lanes(uint64_t states) {
    states &= low_bits * OBJECT_ALLOCATED_MASK;
    return ~(states + low_bits * (0x80 - 1)) & high_bits;
}

/* The next free object at or after index; states are looked at eight at a time. */
static unsigned next_free(const struct span *span, unsigned index) {
    for (; index < span->object_count; index++) {
        uint64_t states;
        while (index % 8 == 0 && index + 8 <= span->object_count) {
            memcpy(&states, &span->states[index], sizeof states);
            if (free_lanes(states))
                break;
            index += 8;
        }
        if (index < span->object_count && object_is_free(span->states[index]))
            return index;
    }
    return span->object_count;
}

/* What is being taken: the slots from next down to lowest are still to be filled; bit i of stale
 * tells that the object in lowest[i] was collected. */
struct taking {
    void **next, **lowest;
    uint64_t stale;
};

static inline void take_object(struct taking *taking, uintptr_t address, bool stale) {
    *--taking->next = (void *)address;
    taking->stale |= (uint64_t)stale << (taking->next - taking->lowest);
}

/* Eight in a row: most of what a collection frees lies in long runs. */
static void take_row(struct taking *taking, struct span *span, unsigned index, bool stale,
                     unsigned char colour) {
    uintptr_t address = span_object(span, index);
    uint64_t taken = low_bits * colour;
    memcpy(&span->states[index], &taken, sizeof taken);
    span->free_count -= 8;
    for (int i = 1; i <= 8; i++, address += span->object_bytes)
        taking->next[-i] = (void *)address;
    taking->next -= 8;
    taking->stale |= (stale ? (uint64_t)0xff : 0) << (taking->next - taking->lowest);
}

/* The free ones of the eight objects from index on. No mark goes on, so the states are nobody
 * else's. */
static void take_eight(struct taking *taking, struct span *span, unsigned index,
                       unsigned char colour) {
    uint64_t states, lanes;
    memcpy(&states, &span->states[index], sizeof states);
    if (states == low_bits * OBJECT_STALE || states == low_bits * OBJECT_FREE) {
        take_row(taking, span, index, states != 0, colour);
        return;
    }
    lanes = free_lanes(states);
    span->free_count -= (lanes >> 7) * low_bits >> 56;
    uint64_t bytes = (lanes >> 7) * 0xff, taken = (states & ~bytes) | (low_bits * colour & bytes);
    memcpy(&span->states[index], &taken, sizeof taken);
    uintptr_t start = span_object(span, index);
    for (; lanes; lanes &= lanes - 1) {
        unsigned lane = __builtin_ctzl(lanes) / 8;
        take_object(taking, start + lane * span->object_bytes,
                    (states >> lane * 8 & 0xff) == OBJECT_STALE);
    }
}

static void take_one(struct taking *taking, struct span *span, unsigned index,
                     unsigned char colour) {
    take_object(taking, span_object(span, index), span->states[index] == OBJECT_STALE);
    AO_char_store(&span->states[index], colour);
    span->free_count--;
}

/* Takes free objects of one span until the slots are full. They fill the slots from the top down,
 * so that they are popped in the order of their addresses. */
static void span_take(struct span *span, struct taking *taking) {
    unsigned char colour = object_live_colour();
    unsigned index = span->search_from;
    bool marking = AO_char_load(&heap.marking);
    while (taking->next > taking->lowest && span->free_count > 0) {
        bool eight = !marking && index % 8 == 0 && index + 8 <= span->object_count &&
                     taking->next - taking->lowest >= 8;
        if (eight) {
            take_eight(taking, span, index, colour);
            index += 8;
        } else {
            index = next_free(span, index);
            take_one(taking, span, index++, colour);
        }
    }
    span->search_from = index;
    if (span->free_count == 0)
        span_move(span, SPAN_FULL);
}

static bool leaves_stale;

void cache_leave_stale(void) { leaves_stale = true; }

/* Their memory comes from far away: it is fetched for all of them before the first is cleared. */
static void fetch_stale(void **slots, uint64_t stale, size_t bytes) {
    for (; stale; stale &= stale - 1) {
        const char *object = slots[__builtin_ctzl(stale)];
        for (size_t i = 0; i < bytes; i += CACHE_LINE_BYTES)
            __builtin_prefetch(object + i, 1);
    }
}

static void clear_stale(void **slots, uint64_t stale, size_t bytes) {
    fetch_stale(slots, stale, bytes);
    for (; stale; stale &= stale - 1)
        memset(slots[__builtin_ctzl(stale)], 0, bytes);
}

/* A span with free objects: a partial one, else one that sweeping finds, else a new one. */
static struct span *span_with_room(struct span_set *set, unsigned span_class) {
    if (set->partial.first)
        return set->partial.first;
    struct span *span = sweep_for_room(set);
    if (span)
        return span;
    span = span_make_small(span_class);
    if (span)
        span_move(span, SPAN_PARTIAL);
    return span;
}

/* Puts up to room objects into slots and sets count. All of it under the lock: a thread stopped
 * with objects in its slots that count does not cover would lose them. */
static void set_take(unsigned span_class, void **slots, unsigned room, unsigned *count) {
    struct span_set *set = &span_sets[span_class];
    size_t bytes = object_bytes_of(span_class);
    struct taking taking = {slots + room, slots, 0};
    struct span *span;
    lock_take(&set->lock);
    while (taking.next > slots && (span = span_with_room(set, span_class)) != NULL)
        span_take(span, &taking);
    unsigned got = slots + room - taking.next;
    if (taking.next > slots) {
        memmove(slots, taking.next, got * sizeof *slots);
        taking.stale >>= taking.next - slots;
    }
    *count = got;
    heap_count_allocated(got * bytes);
    lock_give(&set->lock);
    if (!leaves_stale && sizes_kind(span_class) != OBJECT_ATOMIC)
        clear_stale(slots, taking.stale, bytes);
}

static void span_take_back(struct span_set *set, struct span *span, size_t index) {
    if (index < span->search_from)
        span->search_from = index;
    if (span->free_count++ == 0)
        span_move(span, SPAN_PARTIAL);
    if (span->free_count == span->object_count && set->partial.first != set->partial.last) {
        span_move(span, SPAN_UNLISTED);
        span_destroy(span, false);
    }
}

/* Markers take part in it only while a mark goes on. */
static inline unsigned char free_state(volatile unsigned char *state, bool marking) {
    if (marking)
        return object_exchange_state(state, OBJECT_FREE);
    unsigned char before = AO_char_load(state);
    AO_char_store(state, OBJECT_FREE);
    return before;
}

/* Returns the state the object had. */
static unsigned char object_release(struct span_set *set, void *address, bool marking) {
    struct object object;
    if (!object_find((uintptr_t)address, &object) || span_set_of(object.span) != set ||
        object_address(object) != (uintptr_t)address)
        log_fatal("free of %p, which is not the start of an allocated block", address);
    if (span_is_unswept(object.span))
        sweep_span(object.span);
    if (object_is_free(*object_state(object)))
        log_fatal("double free of %p (%zu bytes)", address, object.span->object_bytes);
    unsigned char before = free_state(object_state(object), marking);
    span_take_back(set, object.span, object.index);
    return before;
}

/* True when a mark goes on that had not reached all of them. */
static bool set_give(unsigned span_class, void **slots, unsigned count) {
    struct span_set *set = &span_sets[span_class];
    size_t bytes = object_bytes_of(span_class), marked = 0;
    lock_take(&set->lock);
    bool marking = AO_char_load(&heap.marking);
    for (unsigned i = 0; i < count; i++)
        marked += object_release(set, slots[i], marking) != object_white();
    heap_count_freed(count * bytes, marked * bytes);
    lock_give(&set->lock);
    pages_release_idle();
    return marking && marked < count;
}

/* While a mark goes on, the first write to each page costs a fault; a refill that cleared objects
 * on many pages would make its caller wait. */
static unsigned most_in_refill(unsigned span_class) {
    size_t bytes = object_bytes_of(span_class);
    if (!AO_char_load(&heap.marking))
        return UINT_MAX;
    return bytes < MARKING_BYTES ? MARKING_BYTES / bytes : 1;
}

static unsigned refill_count(const struct cache_bin *bin, unsigned span_class) {
    unsigned half = bin->limit > 1 ? bin->limit / 2 : 1, most = most_in_refill(span_class);
    return half < most ? half : most;
}

size_t cache_refill_bytes(const struct cache *cache, unsigned span_class) {
    return refill_count(&cache->bins[span_class], span_class) * object_bytes_of(span_class);
}

bool cache_refill(struct cache *cache, unsigned span_class) {
    struct cache_bin *bin = &cache->bins[span_class];
    set_take(span_class, bin->slots, refill_count(bin, span_class), &bin->count);
    bin_lengthen(bin, span_class);
    return bin->count > 0;
}

/* The thread may be stopped between any two of these lines, and then finds each object in a slot
 * below count or on this frame. Or another one may fork, and then the child, which does not have
 * this frame, finds none of them twice. */
static bool bin_give_oldest(struct cache *cache, unsigned span_class, unsigned count) {
    void *objects[SIZES_CACHE_MOST];
    struct cache_bin *bin = &cache->bins[span_class];
    unsigned left = bin->count - count;
    AO_int_store_full(&cache->flushed, span_class);
    memcpy(objects, bin->slots, bin->count * sizeof *objects);
    CACHE_HOLD(objects);
    bin->count = 0;
    CACHE_HOLD(objects);
    memcpy(bin->slots, objects + count, left * sizeof *objects);
    CACHE_HOLD(objects);
    bin->count = left;
    bool outruns = set_give(span_class, objects, count);
    AO_int_store_release(&cache->flushed, 0);
    return outruns;
}

bool cache_flush(struct cache *cache, unsigned span_class) {
    struct cache_bin *bin = &cache->bins[span_class];
    bool outruns = bin_give_oldest(cache, span_class, (bin->count + 1) / 2);
    bin_lengthen(bin, span_class);
    return outruns;
}

void cache_empty(struct cache *cache) {
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        if (cache->bins[class].count > 0)
            bin_give_oldest(cache, class, cache->bins[class].count);
}

void *cache_take_uncached(unsigned span_class) {
    void *object = NULL;
    unsigned count;
    set_take(span_class, &object, 1, &count);
    if (object)
        *cache_key_of(object) = 0;
    return object;
}

void cache_give_uncached(unsigned span_class, void *object) { set_give(span_class, &object, 1); }

bool cache_holds(const struct cache *cache, unsigned span_class, const void *object) {
    const struct cache_bin *bin = &cache->bins[span_class];
    unsigned count = AO_int_load_acquire((const volatile unsigned *)&bin->count);
    for (unsigned i = 0; i < count; i++)
        if (AO_load((const volatile AO_t *)&bin->slots[i]) == (AO_t)object)
            return true;
    return false;
}

bool cache_flushes(const struct cache *cache, unsigned span_class) {
    return AO_int_load_acquire(&cache->flushed) == span_class;
}

void cache_each(const struct cache *cache, void (*visit)(void *object, void *context),
                void *context) {
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        for (unsigned i = 0; i < cache->bins[class].count; i++)
            visit(cache->bins[class].slots[i], context);
}
