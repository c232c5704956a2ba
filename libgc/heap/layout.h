/* Where the heap lies: one reservation for objects, and the tables beside it.
 *
 *   objects       the pages that hold objects, a prefix of it in use
 *   page_spans    one pointer a page: the span the page belongs to, or NULL; tagged in free runs
 *   page_classes  one number a page: its span class if it holds small objects that are freed the
 *                 fast way, else 0
 *   metadata      spans, threads, caches, alternate stacks: everything that is not an object
 *
 * "Is it ours" is one subtraction and one compare. All four are reserved once, never unmapped below
 * what was committed, and are no roots. The tables are committed before the pages they describe.
 * Readers need no lock; the writers hold the lock of pages.h.
 */
#ifndef TITHE_HEAP_LAYOUT_H
#define TITHE_HEAP_LAYOUT_H

#include "os/vm.h"

#include <atomic_ops.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAP_PAGE_SHIFT = 13, HEAP_PAGE_BYTES = 1 << HEAP_PAGE_SHIFT };

/* What memory is fetched by. */
enum { CACHE_LINE_BYTES = 64 };

/* From here on huge pages are worth what they cost: see heap_extend and cycle/relax.h. */
enum { HEAP_LARGE_BYTES = 512 << 20 };

struct span;

struct heap {
    struct vm_region objects;
    struct span **page_spans;
    unsigned short *page_classes;

    volatile AO_t live;      /* bytes allocated and not yet freed or found dead; any thread adds */
    volatile AO_t allocated; /* bytes handed out since the start; any thread adds */
    volatile AO_t freed;     /* bytes freed explicitly since the start; any thread adds */
    volatile AO_t collected; /* bytes found dead since the start; the collecting thread adds */
    volatile AO_t peak;      /* the most bytes that were live; racy maximum, for statistics */

    volatile AO_t peak_in_cycle; /* the same since a mark began */

    /* While marking: bytes of objects that are not white, those allocated meanwhile included. Set
     * with all sets locked, changed under a set's lock or by a marker. */
    volatile AO_t marked;
    volatile unsigned char marking; /* written with all sets locked */

    struct vm_region page_span_table;
    struct vm_region page_class_table;
    struct vm_region metadata;
};

extern struct heap heap;

/* Reserves everything on the first call. False when not even a small heap can be had. */
bool heap_start(void);

/* Makes the first bytes of objects usable. False when out of memory. Holds the lock of pages.h.
 * dense: small objects are about to fill them, so that huge pages waste nothing; a large object may
 * be used in few places only. */
bool heap_extend(size_t bytes, bool dense);

/* Shrinks the reservations so that the process's address space fits under limit bytes. */
void heap_fit_address_space(size_t limit);

/* Calls visit for each of the four reserved ranges. */
void heap_each_region(void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context);

static inline bool heap_contains(uintptr_t address) {
    return address - heap.objects.start < AO_load(&heap.objects.committed);
}

static inline size_t heap_page_of(uintptr_t address) {
    return (address - heap.objects.start) >> HEAP_PAGE_SHIFT;
}

/* Entries of pages in free runs have this bit: what they lead to may go at any time, and only
 * pages.c may follow it. */
enum { PAGE_IS_FREE = 1 };

/* The span an address lies in; NULL outside the heap and in pages that belong to no object. */
static inline struct span *heap_span_of(uintptr_t address) {
    if (!heap_contains(address))
        return NULL;
    AO_t entry = AO_load((volatile AO_t *)&heap.page_spans[heap_page_of(address)]);
    return __builtin_expect(entry & PAGE_IS_FREE, 0) ? NULL : (struct span *)entry;
}

/* Adds to the live bytes and remembers the most there ever were. With the set's lock, so that what
 * is allocated and freed before and after a mark began can be told apart. */
void heap_count_allocated(size_t bytes);

/* So many of the bytes were in objects that are not white. */
void heap_count_freed(size_t bytes, size_t marked);

static inline void heap_count_marked(size_t bytes) {
    if (AO_char_load(&heap.marking))
        AO_fetch_and_add(&heap.marked, bytes);
}

#endif
