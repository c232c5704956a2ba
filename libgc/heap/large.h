/* Large objects: one a span, page-aligned, straight from the runs of pages.
 *
 * They are freed at once, grown and shrunk in place when their neighbours allow, and known to be
 * zero when their pages are fresh. Any thread, without a lock of sets held.
 */
#ifndef TITHE_HEAP_LARGE_H
#define TITHE_HEAP_LARGE_H

#include "heap/sizes.h"

#include <stdbool.h>
#include <stddef.h>

struct span;

/* NULL when out of memory. clear asks for zeroed contents. */
void *large_take(size_t bytes, size_t alignment, enum object_kind kind, bool clear);

/* Frees the object of a large span; address is what the program passed, and must be its start. */
void large_give(struct span *span, void *address);

/* Clears whole pages of a large object, many of them by giving them back. */
void large_clear(void *start, size_t bytes);

/* Tries to make the object at least bytes long without moving it. */
bool large_resize(struct span *span, size_t bytes);

#endif
