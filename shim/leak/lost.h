/* What a check found lost: the list of it, and who leads to whom in it.
 *
 * Filled in by the conductor with the world stopped, then the checking thread's alone. Lost blocks
 * lie still: nobody but a program that hides its pointers can reach them.
 */
#ifndef TITHE_SHIM_LEAK_LOST_H
#define TITHE_SHIM_LEAK_LOST_H

#include "heap/notes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lost {
    uintptr_t address;
    unsigned owner;  /* the block that holds it, as number + 1; itself if it is direct */
    unsigned linked; /* the next one to be looked at, as number + 1 */
};

/* Makes room for all blocks there are. False when the system refuses. */
bool lost_prepare(void);
void lost_end(void);

/* Adds a block, in the stop. */
void lost_add(struct object object, struct note *note);

/* True if the block is in the list. */
bool lost_contains(uintptr_t address, const struct note *note);

size_t lost_count(void);
const struct lost *lost_get(size_t number);

/* Finds for each block whether another one leads to it, and gives each its owner: a block that no
 * other leads to owns what it leads to; of a ring, the first. */
void lost_settle(void);

#endif
