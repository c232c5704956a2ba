/* Why blocks are still reachable: for the groups of live blocks that matter most, a chain of
 * pointers from a root to one of their blocks; and for freed blocks what still leads to them.
 *
 * One breadth-first search from all root memory through all blocks, which remembers who led to
 * whom, so that chains are short. The program runs meanwhile: a chain tells what was so at some
 * moment during the search. Takes eight bytes for each block reached, for as long as the check
 * lasts.
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
