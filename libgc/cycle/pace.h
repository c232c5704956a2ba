/* The pacer: when the next collection is due.
 *
 * Due when the live bytes reach the trigger. After a collection the heap may grow by `percent` of
 * what survived and of the root memory that had to be read, but to no less than `min_heap`.
 * collection that was cancelled, or that found hardly anything, moves the trigger, too: a program
 * that frees all it allocates must not pay for collections. With `gc_every` a collection is also
 * due each so many allocated bytes. Reading is lock-free; writing is the collecting thread's.
 */
#ifndef TITHE_CYCLE_PACE_H
#define TITHE_CYCLE_PACE_H

#include <stdbool.h>
#include <stddef.h>

/* True when a collection should start now. */
bool pace_due(void);

/* A collection ended with this many bytes live after reading roots bytes of roots. */
void pace_after_cycle(size_t live, size_t roots);

/* A collection could not be done; the next one is tried after some more growth. */
void pace_after_cancel(void);

/* The live bytes at which the next collection is due. */
size_t pace_trigger(void);

#endif
