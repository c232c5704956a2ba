/* Shapes: where the pointers lie in objects that their span's kind does not tell all of.
 *
 * Each shaped or held object has a number beside its state (span.h) that leads to its shape: a
 * descriptor in libgc's encoding, whether that repeats along the object, and the kind the API gave
 * it. Equal shapes are one shape; there are few in a program, one or two a type. They are never
 * forgotten, so a marker that finds a number of the object's past reads an old shape, not a wild
 * one. Shape 0 is the cautious one: every word may be a pointer; it also serves when no number is
 * left. Any thread, without a lock to read.
 */
#ifndef TITHE_HEAP_SHAPE_H
#define TITHE_HEAP_SHAPE_H

#include "heap/object.h"

#include <stdint.h>

/* The two low bits of a descriptor; the rest is a length in bytes, a map of words from the top bit
 * down, a procedure, or where in the object the descriptor is. */
enum descriptor_tag {
    DESCRIPTOR_LENGTH,
    DESCRIPTOR_BITMAP,
    DESCRIPTOR_PROCEDURE,
    DESCRIPTOR_PER_OBJECT,
    DESCRIPTOR_TAG_MASK = 3
};

#define DESCRIPTOR_WHOLE ((uintptr_t)-1 & ~(uintptr_t)DESCRIPTOR_TAG_MASK)

struct shape {
    uintptr_t descriptor;
    size_t
        element_bytes; /* the descriptor's, one after the other; 0: it is for all of the object */
    unsigned kind;     /* the API's number */
};

enum { SHAPE_CAUTIOUS = 0, SHAPES_MOST = 65535 };

/* The number of a shape. */
unsigned shape_number(struct shape shape);

struct shape shape_get(unsigned number);

/* Gives an object of a shaped or held span its shape: by whoever allocates it. */
static inline void object_set_shape(struct object object, unsigned shape) {
    *span_shape(object.span, object.index) = shape;
}

static inline struct shape object_shape(struct object object) {
    return shape_get(*(volatile unsigned short *)span_shape(object.span, object.index));
}

/* Around a fork. */
void shape_lock(void);
void shape_unlock(void);

#endif
