/* Memory for the collector's own structures, outside the pages that hold objects.
 *
 * Blocks are rounded up to 64 bytes and never return to the system, so a pointer to one stays
 * readable for ever, as what a structure of the same size. Takes its own lock, below all others;
 * since the conductor needs it in a stop, a thread of the program's calls only while it is frozen
 * or holds the lock of the registry, of a set, or of pages, because with any of these it is not
 * stopped. Contents are not cleared, except of blocks never used before.
 */
#ifndef TITHE_HEAP_METADATA_H
#define TITHE_HEAP_METADATA_H

#include <stddef.h>

/* NULL when out of memory. Blocks of a system page and more are page-aligned. */
void *metadata_take(size_t bytes);

/* Takes back a block of just these bytes, at most METADATA_LARGEST_REUSED. */
void metadata_give(void *block, size_t bytes);

enum { METADATA_LARGEST_REUSED = 8192 };

void metadata_lock(void);
void metadata_unlock(void);

/* Bytes in use by the collector itself, free blocks included. */
size_t metadata_bytes_used(void);

#endif
