/* Links: a number for each block of the heap, for as long as a check lasts.
 *
 * The list of lost blocks and the search for chains find their entry of a block by it. A table of
 * its own, because it only takes memory where numbers are given, and notes take it for all blocks
 * and all the time. By the conductor in the stop, then by the checking thread.
 */
#ifndef TITHE_SHIM_LEAK_LINKS_H
#define TITHE_SHIM_LEAK_LINKS_H

#include <stdbool.h>
#include <stdint.h>

/* Reserves a table of zeros. False when the system refuses. */
bool links_prepare(void);
void links_end(void);

/* The number of the block that begins at this address of the heap; 0: none was given. */
unsigned links_get(uintptr_t address);

/* False when the heap has grown beyond the table since. */
bool links_set(uintptr_t address, unsigned number);

/* Whether an address range has a part of the table. */
bool links_own(uintptr_t start, uintptr_t end);

#endif
