/* The depot: each distinct allocation stack once, known by a small number.
 *
 * A hash table that only grows, in memory of its own that is no root; inserting is a
 * compare-and-swap, so it may be done in a signal handler in the middle of another insertion. A
 * stack belongs to a generation of loaded code (modules.h): equal addresses of another one are
 * another stack. Number 0 stands for a stack that is not known. Any thread.
 */
#ifndef TITHE_SHIM_LEAK_DEPOT_H
#define TITHE_SHIM_LEAK_DEPOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stack {
    unsigned next; /* in its bucket: where it lies, in words */
    unsigned number;
    uint64_t hash;
    unsigned generation, count;
    uintptr_t pcs[];
};

/* Reserves the depot's memory. False when the system refuses. Once. */
bool depot_start(void);

/* The number of a stack, by a hash of its addresses that is good enough to tell stacks apart; 0
 * when the depot is full. */
unsigned depot_number(const uintptr_t *pcs, size_t count, uint64_t hash, unsigned generation);

/* Numbers given so far, 0 included: all numbers are below. */
unsigned depot_count(void);

/* NULL for 0 and for a number that nobody was given yet. */
const struct stack *depot_stack(unsigned number);

#endif
