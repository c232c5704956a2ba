/* Runs of pages: taken for spans, given back, joined with their free neighbours, and returned to
 * the system when nobody wanted them for a while.
 *
 * What is free lies in runs (runs.h); the shortest that is long enough is cut. A run is either idle
 * memory that still has its pages, or released (or never used) memory that costs nothing and reads
 * as zero. One lock, below the locks of sets; each function takes it.
 */
#ifndef TITHE_HEAP_PAGES_H
#define TITHE_HEAP_PAGES_H

#include "heap/span.h"

/* Sets base, page_count, zeroed and stale of the span and enters it in the page table. False when
 * out of memory. alignment is a power of two of bytes. */
bool pages_take(struct span *span, size_t count, size_t alignment);

/* The same for a span of a class that has many: they come from blocks of two megabytes, one class
 * each. A program writes to objects of some classes all the time and to those of others never
 * again; so the huge pages of the latter stay whole while written pages are tracked. What is left
 * of a class's block waits for its next span. count is at most the pages of a block. */
bool pages_take_together(struct span *span, size_t count);

/* What is left of the class's block is free for all. */
void pages_end_block(unsigned span_class);

/* Takes the span's pages back. The descriptor stays the caller's. */
void pages_give(struct span *span, bool stale);

/* Lengthens a large span to count pages if the pages behind it are free. */
bool pages_lengthen(struct span *span, size_t count);

/* Shortens a large span to count pages. */
void pages_shorten(struct span *span, size_t count);

/* Has all frees of objects in the span come by the slow path. */
void pages_hide_class(struct span *span);

/* The same, or no longer, with the lock. */
void pages_set_hidden(struct span *span, bool hidden);

/* Returns idle memory to the system: what is over the bound of what is worth keeping. Called with
 * no lock held by whoever just freed. */
void pages_release_idle(void);

/* So many idle bytes are worth keeping for longer: they will be wanted before the next cycle. */
void pages_keep_idle(size_t bytes);

/* From now on the heap keeps at most so many bytes resident: idle memory goes back where it would
 * be more, and what would be more even then is refused. */
void pages_bound_resident(size_t bytes);

/* Ends that. False when there was no bound. */
bool pages_lift_bound(void);

/* Returns all idle memory to the system, and waits for what others are just returning. True when
 * there was any that they were not. */
bool pages_release_all(void);

/* Adds this much address space to what objects may be taken from without more being committed.
 * False when out of memory. */
bool pages_reserve(size_t bytes);

/* Bytes that free runs keep resident, and bytes of objects' address space ever used. */
size_t pages_idle_bytes(void);
size_t pages_used_bytes(void);

/* Bytes of free runs that the system has back, or has never given; and all but those. */
size_t pages_released_bytes(void);
size_t pages_resident_bytes(void);

void pages_lock(void);
void pages_unlock(void);

/* False when the lock was not free for so many milliseconds. */
bool pages_may_lock(int milliseconds);

/* In the child of a fork, with the lock: nobody releases anything. What another thread was just
 * releasing stays out of use. */
void pages_after_fork(void);

#endif
