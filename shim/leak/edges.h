/* The pointers in a block, as the marker sees them. */
#ifndef TITHE_SHIM_LEAK_EDGES_H
#define TITHE_SHIM_LEAK_EDGES_H

#include "heap/object.h"

#include <stddef.h>

/* Calls visit for each word in readable memory that leads into an object of the heap, with where
 * it lies as a distance from the start. */
void edges_each(const void *start, size_t bytes,
                void (*visit)(struct object target, size_t offset, void *context), void *context);

/* The same for an object, in which distances to other objects count, too. */
void edges_each_in(struct object object,
                   void (*visit)(struct object target, size_t offset, void *context),
                   void *context);

#endif
