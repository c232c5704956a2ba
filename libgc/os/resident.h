/* Which pages of the process's memory are there at all.
 *
 * Works on a stopped or a running process. One thread at a time opens (maps_open does that); any
 * number may ask.
 */
#ifndef TITHE_OS_RESIDENT_H
#define TITHE_OS_RESIDENT_H

#include <stdbool.h>
#include <stdint.h>

/* Chooses the best of the ways that are open to us; in a thread of the program's
 * (os/descriptor.h). */
void resident_open(void);

/* True while nobody has closed it. */
bool resident_is_open(void);

/* In the child of a fork: closes what belongs to the parent. */
void resident_after_fork(void);

/* Before a walk over all maps: looks whether some pages are in swap, where that is not told of
 * each.
 */
void resident_begin(void);

/* Calls visit for each run of resident pages inside [start, end), never one read as zeros only
 * because nothing was written there. private_only leaves out pages that still equal their file. */
void resident_each(uintptr_t start, uintptr_t end, bool private_only,
                   void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context);

/* The same for a map with memory beside the page table: pages that this process has not touched
 * since they were mapped count, too. False where some of those may be there and cannot be read,
 * because a thread of the program's is to hand them out (handled.h). */
bool resident_each_cached(uintptr_t start, uintptr_t end,
                          void (*visit)(uintptr_t start, uintptr_t end, void *context),
                          void *context);

/* True when pages in swap can be told from those that were never there, at any time. */
bool resident_knows_swapped(void);

/* How it is found out: "pagemap_scan", "pagemap" or "mincore". */
const char *resident_method(void);

#endif
