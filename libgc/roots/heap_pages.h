/* The heap's pages as the kernel has them: what the program did to them by bare system calls, and
 * opening what it closed to reads.
 *
 * Wrapped calls are told to heap/closed.h. Others are found here, before a mark and in its stop,
 * since no marker may touch a page that it cannot read. One that comes in the middle of a mark is
 * out of reach; so after the first the program is stopped for all of each mark. The conductor's.
 */
#ifndef TITHE_ROOTS_HEAP_PAGES_H
#define TITHE_ROOTS_HEAP_PAGES_H

#include <stdbool.h>

/* Before a mark, and in the stop, where quick: looks at the maps that the heap is made of, and
 * for guards in it. False for roots_cannot_know. */
bool heap_pages_look(bool stopped);

/* True once a bare call was found, or if the last look found what changed meanwhile. */
bool heap_pages_change_unseen(void);

/* In the stop: opens pages that the program closed, unless memory_read reads them, and adds jobs
 * for the marked objects there. False for roots_cannot_know. */
bool heap_pages_open(void);

#endif
