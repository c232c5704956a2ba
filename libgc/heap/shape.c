/* A table of shapes and a hash table of their numbers; see shape.h. */
#include "heap/shape.h"

enum { SLOTS = 131072, STEP = 1 << 14 };

static struct lock lock = LOCK_OF(RANK_SHAPES);

/* By number; few programs have any, so the memory comes with the first. Number 0 has no entry. */
static struct vm_region shape_region, slot_region;
static unsigned count = 1; /* under the lock */

static struct shape *shapes(void) { return (struct shape *)shape_region.start; }

/* 0 where there is none; written under the lock, release, after the shape. */
static volatile unsigned short *slots; /* NULL at first; release */

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
        if (number == 0 || is_equal(shapes()[number], shape))
            return slot;
    }
}

static bool is_started(void) { return AO_load_acquire((volatile AO_t *)&slots) != 0; }

static bool start(void) {
    size_t slot_bytes = SLOTS * sizeof *slots;
    if (is_started())
        return true;
    if (!vm_region_reserve(&slot_region, slot_bytes))
        return false;
    if (vm_region_commit(&slot_region, slot_bytes, 0) &&
        vm_region_reserve(&shape_region, (SHAPES_MOST + 1) * sizeof(struct shape))) {
        AO_store_release((volatile AO_t *)&slots, slot_region.start);
        return true;
    }
    vm_region_end(&slot_region);
    return false;
}

/* With the lock. */
static unsigned number_new(struct shape shape) {
    size_t slot = slot_find(shape);
    unsigned number = slots[slot];
    if (number || count > SHAPES_MOST ||
        !vm_region_commit(&shape_region, (count + 1) * sizeof shape, STEP))
        return number;
    number = count++;
    shapes()[number] = shape;
    AO_short_store_release(&slots[slot], number);
    return number;
}

unsigned shape_number(struct shape shape) {
    unsigned number = is_started() ? AO_short_load_acquire(&slots[slot_find(shape)]) : 0;
    if (number)
        return number;
    lock_take(&lock);
    if (start())
        number = number_new(shape);
    lock_give(&lock);
    return number;
}

struct shape shape_get(unsigned number) {
    if (number == SHAPE_CAUTIOUS)
        return (struct shape){.descriptor = DESCRIPTOR_WHOLE};
    return shapes()[number];
}

void shape_lock(void) { lock_take(&lock); }
void shape_unlock(void) { lock_give(&lock); }
