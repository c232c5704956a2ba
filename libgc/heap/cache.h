/* Thread caches: per span class, an array of pointers to objects this thread may hand out.
 *
 * malloc pops, free pushes, and neither touches anything else. An object in a cache is allocated as
 * far as its state tells; states change in bulk when a bin is refilled or flushed. Bins start short
 * and double with use, so that threads which allocate little keep little.
 *
 * A freed object carries a key in its second word for as long as nobody has it: it is written by
 * push and cleared by pop. Who frees an object that has the key already has either freed it before
 * or made a copy of what was freed; the slow path finds out (alloc/free.c). Programs find no less
 * in what they freed than with other allocators, which keep two words there. Shaped objects have
 * none.
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
#include <stdint.h>

struct cache_bin {
    void **slots;
    unsigned count; /* slots[0] to slots[count - 1] hold objects */
    unsigned limit; /* slots to be used; 0 for a cache that holds nothing */
};

struct cache {
    struct cache_bin bins[SPAN_CLASSES];
    volatile unsigned flushed; /* the span class whose objects are on their way out of a bin, or 0;
                                  the owner, before it takes them out and after they are gone */
};

/* No address, on any machine we run on, whichever bytes of it are looked at; and on x86-64 it is
 * part of an instruction. */
#if defined(__x86_64__)
#define CACHE_KEY ((uint64_t)(int64_t)(int32_t)0xdfdfdfdf)
#else
#define CACHE_KEY ((uint64_t)0xdfdfdfdfdfdfdfdf)
#endif

static inline uint64_t *cache_key_of(void *object) {
    typedef uint64_t __attribute__((may_alias)) word;
    return (uint64_t *)((word *)object + 1);
}

static inline bool cache_has_key(void *object) { return *cache_key_of(object) == CACHE_KEY; }

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
    *cache_key_of(object) = 0;
    CACHE_HOLD(object);
    return object;
}

/* What cannot be refused. The bin has room. */
static inline void cache_put(struct cache_bin *bin, void *object) {
    unsigned count = bin->count;
    bin->slots[count] = object;
    CACHE_HOLD(object);
    bin->count = count + 1;
    CACHE_HOLD(object);
}

/* False when the bin is full, and when the object needs a closer look: it has the key, or lies
 * where none begins. */
static inline bool cache_push(struct cache_bin *bin, void *object) {
    if (__builtin_expect(bin->count >= bin->limit, 0))
        return false;
    if (__builtin_expect((uintptr_t)object % SIZES_GRANULE != 0 || cache_has_key(object), 0))
        return false;
    *cache_key_of(object) = CACHE_KEY;
    cache_put(bin, object);
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

/* A glance at a cache, which may be another thread's: whether it holds the object, and whether
 * objects of the class are on their way out of it. */
bool cache_holds(const struct cache *cache, unsigned span_class, const void *object);
bool cache_flushes(const struct cache *cache, unsigned span_class);

/* Calls visit for each cached object. The owner is stopped. */
void cache_each(const struct cache *cache, void (*visit)(void *object, void *context),
                void *context);

#endif
