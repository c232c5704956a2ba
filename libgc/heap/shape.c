/* A table of shapes and a hash table of their numbers; see shape.h. */
#include "heap/shape.h"

enum { SLOTS = 131072 };

static struct lock lock = LOCK_INITIALIZER;

/* Number 0 is filled in by whoever reads it: its descriptor must be DESCRIPTOR_WHOLE. */
static struct shape shapes[SHAPES_MOST + 1];
static unsigned count = 1; /* under the lock */

/* 0 where there is none; written under the lock, release, after the shape. */
static volatile unsigned short slots[SLOTS];

static bool is_equal(struct shape one, struct shape other) {
    return one.descriptor == other.descriptor && one.element_bytes == other.element_bytes &&
           one.kind == other.kind;
}

static size_t slot_of(struct shape shape) {
    uint64_t hash = shape.descriptor * 0x9e3779b97f4a7c15u;
    hash ^= (shape.element_bytes + ((uint64_t)shape.kind << 48)) * 0xc2b2ae3d27d4eb4fu;
    return hash >> 40 & (SLOTS - 1);
}

/* The slot that has the shape, or the empty one where it would be. */
static size_t slot_find(struct shape shape) {
    size_t slot = slot_of(shape);
    for (;; slot = (slot + 1) % SLOTS) {
        unsigned number = AO_short_load_acquire(&slots[slot]);
        if (number == 0 || is_equal(shapes[number], shape))
            return slot;
    }
}

unsigned shape_number(struct shape shape) {
    unsigned number = AO_short_load_acquire(&slots[slot_find(shape)]);
    if (number)
        return number;
    lock_take(&lock);
    size_t slot = slot_find(shape);
    number = slots[slot];
    if (number == 0 && count <= SHAPES_MOST) {
        number = count++;
        shapes[number] = shape;
        AO_short_store_release(&slots[slot], number);
    }
    lock_give(&lock);
    return number;
}

struct shape shape_get(unsigned number) {
    if (number == SHAPE_CAUTIOUS)
        return (struct shape){.descriptor = DESCRIPTOR_WHOLE};
    return shapes[number];
}

void shape_lock(void) { lock_take(&lock); }
void shape_unlock(void) { lock_give(&lock); }
