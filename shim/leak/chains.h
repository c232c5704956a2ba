/* Why blocks are still reachable: for the groups of live blocks that matter most, a chain of
 * pointers from a root to one of their blocks; and for freed blocks what still leads to them.
 *
 * By one search (search.h) from all root memory, beside the running program.
 */
#ifndef TITHE_SHIM_LEAK_CHAINS_H
#define TITHE_SHIM_LEAK_CHAINS_H

#include "leak/sums.h"

#include <stdint.h>

/* Searches, if there is anything to search for. */
void chains_find(const struct sums *sums);

/* Adds the lines to the check file. */
void chains_write(void);

/* Whether the search has found a chain to the block that begins there, and its steps, or only the
 * last one, for a line of the check file. */
bool chains_has(uintptr_t address);
void chains_write_steps(uintptr_t address, bool whole);

void chains_end(void);

#endif
