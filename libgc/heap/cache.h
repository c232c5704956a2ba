/* Thread caches: per span class, an array of pointers to objects this thread may hand out.
 *
 * malloc pops, free pushes, and neither touches anything else. An object in a cache is allocated as
 * far as its state tells; states change in bulk when a bin is refilled or flushed. Bins start short
 * and double with use, so that threads which allocate little keep little.
 *
 * A cache belongs to one thread. The collecting thread reads it while the owner is stopped, which
 * may be between any two instructions: cache_pop and cache_push keep the object either below count
 * or in a register all the time, so that it is never taken for garbage.
 */
#ifndef TITHE_HEAP_CACHE_H
#define TITHE_HEAP_CACHE_H

#include "heap/sizes.h"

#include <stdbool.h>
#include <stddef.h>

struct cache_bin {
    void **slots;
    unsigned count; /* slots[0] to slots[count - 1] hold objects */
    unsigned limit; /* slots to be used; 0 for a cache that holds nothing */
};

struct cache {
    struct cache_bin bins[SPAN_CLASSES];
};

/* Compels the compiler to have the value in a register here, before any later store to memory. */
#define CACHE_HOLD(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

/* NULL when the bin is empty. */
static inline void *cache_pop(struct cache_bin *bin) {
    unsigned count = bin->count;
    if (__builtin_expect(count == 0, 0))
        return NULL;
    void *object = bin->slots[count - 1];
    CACHE_HOLD(object);
    bin->count = count - 1;
    CACHE_HOLD(object);
    return object;
}

/* False when the bin is full, or when the object is the one pushed last: a double free. */
static inline bool cache_push(struct cache_bin *bin, void *object) {
    unsigned count = bin->count;
    if (__builtin_expect(count >= bin->limit, 0))
        return false;
    if (__builtin_expect(count > 0 && bin->slots[count - 1] == object, 0))
        return false;
    bin->slots[count] = object;
    CACHE_HOLD(object);
    bin->count = count + 1;
    CACHE_HOLD(object);
    return true;
}

/* Makes an all-zero cache, or an emptied one, ready for a thread. False when out of memory. */
bool cache_start(struct cache *cache);

/* Puts fresh objects into an empty bin. False when out of memory. */
bool cache_refill(struct cache *cache, unsigned span_class);

/* From now on collected objects are not cleared at refill: whoever hands out one that is scanned
 * clears it himself. Those that are not scanned never are. */
void cache_leave_stale(void);

/* How many bytes the next refill will take; of one object for a cache that holds nothing. */
size_t cache_refill_bytes(const struct cache *cache, unsigned span_class);

/* Returns the older half of a bin to its spans. True when a mark goes on that had not reached all
 * of what is returned. */
bool cache_flush(struct cache *cache, unsigned span_class);

/* Returns everything. */
void cache_empty(struct cache *cache);

/* One object straight from its span, and back: for threads that have no cache. */
void *cache_take_uncached(unsigned span_class);
void cache_give_uncached(unsigned span_class, void *object);

/* Calls visit for each cached object. The owner is stopped. */
void cache_each(const struct cache *cache, void (*visit)(void *object, void *context),
                void *context);

#endif
