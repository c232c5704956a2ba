/* The front door: allocation and freeing, as malloc and GC_malloc need them.
 *
 * The fast paths below pop or push the calling thread's cache and do nothing else. What they cannot
 * do goes to the slow paths, which register the thread, let the collector have its turn, and refill
 * or flush. Any thread, at any time, also before constructors and after the thread's last
 * destructor; not async-signal-safe while another call here was interrupted, like malloc.
 */
#ifndef TITHE_ALLOC_ALLOC_H
#define TITHE_ALLOC_ALLOC_H

#include "heap/layout.h"
#include "heap/sizes.h"
#include "thread/thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* NULL when memory is exhausted even after a collection. Contents are not cleared. */
void *alloc_slow(size_t bytes, enum object_kind kind);
void free_slow(void *object);

/* Aborts if the object was freed before, as far as can be told without a look at all that is
 * allocated: for whoever is about to change what it contains before it frees it. */
void free_expect_allocated(void *object, const char *call);

/* Frees an object of the heap that nothing leads to, past the cache, the quarantine and the hook
 * below: by threads of the collector's, which have no cache, and under locks that the hook takes.
 */
void free_uncached(void *object);

/* The object in which the address lies is in the kernel's use, which a free does not end: from now
 * on the hook is asked when an object of its span is freed. Where it answers true the object stays
 * allocated, and the hook sees to its end. Nothing happens where there is no object. */
void alloc_lend(uintptr_t address);
extern bool (*alloc_lent_hook)(void *object, size_t bytes);

/* Cleared. */
void *alloc_cleared(size_t bytes, enum object_kind kind);

/* A chain of at least one and at most so many small objects, through their first words; the rest of
 * scanned ones is cleared. NULL when out of memory. The chain is all that keeps them, so atomic
 * ones are the caller's to keep alive. */
void *alloc_chain(size_t bytes, enum object_kind kind, unsigned most);

/* alignment is a power of two. */
void *alloc_aligned(size_t alignment, size_t bytes, enum object_kind kind);

/* Moves or resizes in place; NULL, and the object as it was, when out of memory. An object that is
 * not ours is copied, as far as it can be read, and left alone. */
void *alloc_resize(void *object, size_t bytes);

/* A new object that begins with what the old one contains, which is about to be freed and may lose
 * that. Memory that nobody has written to stays free; see heap/move.h. */
void *alloc_copy(void *old, size_t old_bytes, size_t bytes, enum object_kind kind);

/* Resizes in place, but false where the object would have to move. */
bool alloc_resize_in_place(void *object, size_t bytes);

/* The usable size of an allocated object given by its start; 0 for anything else. */
size_t alloc_usable_bytes(const void *object);

/* What to ask for so that an address one past the end still leads into the object, wherever it is
 * kept. What malloc makes needs that: a program may keep nothing but a pointer behind a header that
 * nothing follows, as PHP does in its tables of functions. It costs no more than the header that
 * glibc's blocks have. */
static inline size_t alloc_with_end(size_t bytes) { return bytes + (bytes != SIZE_MAX); }

enum { ALLOC_CLEARED_IN_PLACE = 256 };

/* Clears an object; a small one by a loop that compilers make vector stores of. bytes is a multiple
 * of a granule. */
static inline void *alloc_clear(void *object, size_t bytes) {
    if (bytes > ALLOC_CLEARED_IN_PLACE)
        return memset(object, 0, bytes);
    uint64_t *words = object;
    for (size_t i = 0; i < bytes / SIZES_GRANULE; i++)
        words[2 * i] = words[2 * i + 1] = 0;
    return object;
}

static inline void *alloc_fast(size_t bytes) {
    if (__builtin_expect(bytes <= SIZES_LARGEST_SMALL, 1)) {
        struct cache_bin *bin = &thread_self->cache.bins[sizes_span_class(bytes, OBJECT_SCANNED)];
        void *object = cache_pop(bin);
        if (__builtin_expect(object != NULL, 1))
            return object;
    }
    return alloc_slow(bytes, OBJECT_SCANNED);
}

/* Pages of large objects have class 0, whose bin never has room. */
static inline void free_fast(void *object) {
    if (__builtin_expect(heap_contains((uintptr_t)object), 1)) {
        unsigned span_class = heap.page_classes[heap_page_of((uintptr_t)object)];
        if (__builtin_expect(cache_push(&thread_self->cache.bins[span_class], object), 1))
            return;
    }
    free_slow(object);
}

#endif
