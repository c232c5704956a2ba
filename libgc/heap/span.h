/* Spans: runs of pages that hold objects of one size and kind, and the sets they are kept in.
 *
 * A span's descriptor is metadata; its tail is one state byte an object. The first cache line is
 * what marking needs: base, reciprocal, count, and the flag that says it is queued.
 *
 * A set holds all spans of one span class, each on exactly one of three lists: unswept (dead
 * objects of the last collection not yet turned free), partial (swept, has free objects), full
 * (swept, has none). Each kind has a set for its large objects, which are never partial. A set's
 * lock guards its lists and the counts and states of its spans; markers change states too, without
 * it, by compare-and-swap from white to grey and from grey to black.
 *
 * Markers hold descriptors without a lock while spans come and go. So a descriptor's memory is only
 * ever reused as a descriptor; its place in the mark queue survives that; and a span made while
 * marking has neither white nor grey objects, so that whatever a marker still wanted of the old one
 * finds nothing to do.
 */
#ifndef TITHE_HEAP_SPAN_H
#define TITHE_HEAP_SPAN_H

#include "heap/sizes.h"
#include "os/park.h"

#include <atomic_ops.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum span_list { SPAN_UNLISTED, SPAN_PARTIAL, SPAN_FULL };

struct note;

struct span {
    uintptr_t base;
    uint64_t reciprocal; /* ceil(2^40 / object_bytes), 0 for a large object */
    size_t object_bytes;
    volatile unsigned object_count; /* 0 while there is none: set last, cleared first */
    unsigned short span_class;
    unsigned char kind;            /* enum object_kind, as in the span class */
    unsigned char list;            /* enum span_list, if the epoch is the set's, else unswept */
    volatile unsigned char queued; /* 1 while on the mark queue; set by compare-and-swap */
    bool zeroed;                   /* the pages were zero when the span was made */
    bool stale;                    /* or they held the remains of collected objects */
    bool closed; /* the program has taken access to some of it away, see closed.h: read with care;
                    written while nothing marks, with the set's lock */
    bool lent;   /* the kernel uses one of its objects, see alloc.h; written once, with the set's
                    lock, and read by whoever frees one */
    struct span *queue_next; /* the owner of the queue entry */
    volatile AO_t scanned;   /* bytes of a large object handed out for scanning */

    unsigned page_count;
    unsigned free_count;  /* objects in the state free */
    unsigned search_from; /* no object below this index is free */
    unsigned tail_bytes;  /* room for states, and for shapes where the kind has them */
    unsigned epoch;       /* the set's when last swept */
    struct span *next, *previous;
    struct note *notes; /* one an object, or NULL; see notes.h */

    unsigned char states[] __attribute__((aligned(8))); /* see object.h */
};

struct span_ring {
    struct span *first, *last;
};

struct span_set {
    struct lock lock;
    unsigned epoch; /* how often the set was unswept; a span of an older epoch is unswept */
    size_t pages;   /* of all its spans of small objects */
    struct span_ring unswept, partial, full;
} __attribute__((aligned(64)));

extern struct span_set span_sets[SPAN_CLASSES];

/* All of the following: with the lock of the span's set. */

/* Makes a span of small objects, all free, unlisted. NULL when out of memory. */
struct span *span_make_small(unsigned span_class);

/* Makes a span of one large object, allocated, unlisted. alignment is a power of two. */
struct span *span_make_large(size_t bytes, size_t alignment, enum object_kind kind);

/* Gives an unlisted span's pages back to pages.h and keeps its descriptor for another span. No
 * object of it may be allocated any more. stale tells that collected objects were among its last.
 */
void span_destroy(struct span *span, bool stale);

/* Moves a span to another list of its set, or to none. Appends, so lists are first in, first out.
 */
void span_move(struct span *span, enum span_list list);

/* Moves every span of the set to unswept, in constant time: the states of a finished mark have yet
 * to be read. No span may be unswept before. */
void span_set_unsweep(struct span_set *set);

/* In the child of a fork: no marker holds a free descriptor any more. */
void span_after_fork(void);

/* Takes or gives the locks of all sets, in the one order in which more than one may be held. */
void span_sets_lock(void);
void span_sets_unlock(void);

static inline struct span_set *span_set_of(const struct span *span) {
    return &span_sets[span->span_class];
}

static inline bool span_is_large(const struct span *span) { return span->reciprocal == 0; }

enum { SPAN_DESCRIPTOR_UNIT = 64 };

static inline size_t span_descriptor_bytes(unsigned tail_bytes) {
    return (sizeof(struct span) + tail_bytes + SPAN_DESCRIPTOR_UNIT - 1) / SPAN_DESCRIPTOR_UNIT *
           SPAN_DESCRIPTOR_UNIT;
}

/* One an object in spans of shaped and held objects, from the descriptor's end backwards; see
 * shape.h. Descriptors with shapes are only ever reused for such, so a marker that still takes one
 * for that of a span of more objects finds no shape where it looks for a state. */
static inline unsigned short *span_shape(struct span *span, size_t index) {
    return (unsigned short *)((char *)span + span_descriptor_bytes(span->tail_bytes)) - 1 - index;
}

static inline bool span_is_unswept(const struct span *span) {
    return span->epoch != span_set_of(span)->epoch;
}

/* The index of the object an address lies in; at least object_count in the waste at the end. */
static inline size_t span_index(const struct span *span, uintptr_t address) {
    return (address - span->base) * span->reciprocal >> 40;
}

static inline uintptr_t span_object(const struct span *span, size_t index) {
    return span->base + index * span->object_bytes;
}

#endif
