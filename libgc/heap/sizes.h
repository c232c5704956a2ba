/* Size classes: which sizes small objects come in, and how their spans are cut.
 *
 * Sixteen classes of 16-byte steps up to 256 bytes, then eight a doubling up to 32 KiB, so that at
 * most 12.5 % of an object is rounding (past the first steps, where alignment rules). A span class
 * is a size class of a kind of object, because objects of two kinds never share a span. Pure
 * arithmetic, and one table of what was asked for; anybody may call.
 */
#ifndef TITHE_HEAP_SIZES_H
#define TITHE_HEAP_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIZES_GRANULE = 16,
    SIZES_LARGEST_SMALL = 32768,
    SIZES_FINE_CLASSES = 16,    /* 16, 32, ... 256 */
    SIZES_PER_DOUBLING = 8,     /* 288 ... 512, 576 ... 1024, and so on */
    SIZES_CLASSES = 16 + 8 * 7, /* the last is 32768 */
    SIZES_CACHE_MOST = 128      /* objects of one class in a thread's cache */
};

enum object_kind {
    OBJECT_SCANNED, /* every word may be a pointer */
    OBJECT_ATOMIC,  /* holds no pointers, never looked at */
    OBJECT_SHAPED,  /* its shape tells where pointers are; see heap/shape.h */
    OBJECT_HELD,    /* the same, and it is a root: nobody collects it */
    OBJECT_KINDS
};

/* Size class 0 of each kind is for large objects. */
enum { SPAN_CLASSES = OBJECT_KINDS * (SIZES_CLASSES + 1) };

/* The size class, 1 to SIZES_CLASSES, of an object of bytes <= SIZES_LARGEST_SMALL. */
static inline unsigned sizes_class(size_t bytes) {
    if (bytes <= 256)
        return bytes == 0 ? 1 : (bytes + SIZES_GRANULE - 1) / SIZES_GRANULE;
    unsigned doubling = 63 - __builtin_clzl(bytes - 1);
    unsigned step = (bytes - 1) >> (doubling - 3) & 7;
    return SIZES_FINE_CLASSES + 1 + (doubling - 8) * SIZES_PER_DOUBLING + step;
}

static inline unsigned sizes_span_class_of(unsigned size_class, enum object_kind kind) {
    return kind * (SIZES_CLASSES + 1) + size_class;
}

static inline unsigned sizes_span_class(size_t bytes, enum object_kind kind) {
    return sizes_span_class_of(sizes_class(bytes), kind);
}

static inline enum object_kind sizes_kind(unsigned span_class) {
    return span_class / (SIZES_CLASSES + 1);
}

static inline unsigned sizes_size_class(unsigned span_class) {
    return span_class % (SIZES_CLASSES + 1);
}

/* The object size of a size class. */
static inline size_t sizes_bytes(unsigned size_class) {
    if (size_class <= SIZES_FINE_CLASSES)
        return (size_t)size_class * SIZES_GRANULE;
    unsigned above = size_class - SIZES_FINE_CLASSES - 1;
    size_t doubling = (size_t)256 << above / SIZES_PER_DOUBLING;
    return doubling + doubling / SIZES_PER_DOUBLING * (above % SIZES_PER_DOUBLING + 1);
}

/* The smallest size class of at least bytes whose objects are all aligned; alignment is a power of
 * two, at most the heap's page. 0 when only a large object will do. */
unsigned sizes_aligned_class(size_t bytes, size_t alignment);

/* Not 0: an object of this span class may have been asked for with all its bytes. Else no pointer
 * of the program's one past the end of what it asked for leaves the object. Any thread sets it. */
extern unsigned char sizes_filled[SPAN_CLASSES];

/* From now on who allocates scanned objects tells what was asked for. Before anything is. */
void sizes_watch_filled(void);

static inline void sizes_note(unsigned span_class, size_t bytes) {
    if (bytes == sizes_bytes(sizes_size_class(span_class)))
        sizes_filled[span_class] = 1;
}

/* How many heap pages a span of this size class has when spans of its kind have so many in all.
 * Spans of a class that has many are longer: what is allocated together then lies together in few
 * long runs, as processors expect when they fetch ahead. */
unsigned sizes_span_pages(unsigned size_class, size_t in_all);

/* How many objects fit into so many pages. */
unsigned sizes_span_objects(unsigned size_class, unsigned pages);

/* How many objects of this span class a thread may keep in its cache: no large ones. */
unsigned sizes_cache_limit(unsigned span_class);

#endif
