/* Objects: their one state byte, its colours, and the way from a word to an object.
 *
 * An object is free or allocated; an allocated one is white (not reached by this mark), grey
 * (reached, contents not yet read) or black. White and black are two values that swap roles when a
 * mark begins, so nothing is cleared: yesterday's black is today's white. Between collections every
 * allocated object of a swept span has the live colour, which is the black of the last mark.
 *
 * With the quarantine on (quarantine.h), an object that was freed keeps its colour, with a bit that
 * tells of it: it is neither allocated nor free.
 *
 * A free object that was collected is stale: it still holds the pointers it died with. It is
 * cleared before it is handed out, or else an object that its owner fills only in part would keep
 * alive whatever now lies where those pointers lead, and that, in turn, more, without end.
 */
#ifndef TITHE_HEAP_OBJECT_H
#define TITHE_HEAP_OBJECT_H

#include "heap/layout.h"
#include "heap/span.h"

enum object_state {
    OBJECT_FREE = 0,
    OBJECT_GREY = 1,
    OBJECT_COLOUR_LOW = 2,
    OBJECT_COLOUR_HIGH = 3,
    OBJECT_STALE = 4,
    OBJECT_QUARANTINED = 8,   /* beside a colour */
    OBJECT_ALLOCATED_MASK = 3 /* no bit of it is set in the two free states */
};

/* The colour of black, and of objects allocated now. Written by object_swap_colours only. */
extern volatile unsigned char object_black;

static inline unsigned char object_live_colour(void) { return AO_char_load(&object_black); }
static inline unsigned char object_white(void) {
    return OBJECT_COLOUR_LOW + OBJECT_COLOUR_HIGH - AO_char_load(&object_black);
}

/* Begins a mark: what was black is white. Every span must have been swept; all sets are locked.
 * Objects allocated from now on are black. */
void object_swap_colours(void);

struct object {
    struct span *span;
    size_t index;
};

static inline bool object_is_free(unsigned char state) {
    return (state & OBJECT_ALLOCATED_MASK) == 0;
}

/* Neither free nor quarantined. */
static inline bool object_is_allocated(unsigned char state) {
    return state >= OBJECT_GREY && state <= OBJECT_COLOUR_HIGH;
}

/* Markers and owners change an object's state at the same time: markers by compare-and-swap, and
 * its owner, who frees it, by this exchange, which tells what it was. */
static inline unsigned char object_exchange_state(volatile unsigned char *state,
                                                  unsigned char value) {
    unsigned char seen;
    do
        seen = AO_char_load(state);
    while (!AO_char_compare_and_swap_full(state, seen, value));
    return seen;
}

static inline volatile unsigned char *object_state(struct object object) {
    return &object.span->states[object.index];
}

static inline uintptr_t object_address(struct object object) {
    return span_object(object.span, object.index);
}

/* Finds the object an address lies in, free or not. False when it lies in none. */
static inline bool object_find(uintptr_t address, struct object *object) {
    struct span *span = heap_span_of(address);
    if (span == NULL)
        return false;
    object->span = span;
    object->index = span_index(span, address);
    return object->index < AO_int_load(&span->object_count);
}

#endif
