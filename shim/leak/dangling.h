/* Dangling pointers: the freed blocks that a check has found something to lead to, while the
 * quarantine (heap/quarantine.h) holds them back.
 *
 * Listed by the conductor with the world stopped, then the checking thread's alone. What leads to
 * them is found by the search for chains, so only blocks for which that finds something are told.
 */
#ifndef TITHE_SHIM_LEAK_DANGLING_H
#define TITHE_SHIM_LEAK_DANGLING_H

#include "heap/notes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes room for all blocks there are, if there is a quarantine. */
void dangling_prepare(void);
void dangling_end(void);

/* Adds an object of the heap if it is one, in the stop, when all is marked. */
void dangling_add(struct object object, const struct note *note);

size_t dangling_count(void);

/* The list itself leads to all of them, and explains nothing. */
bool dangling_owns(uintptr_t start, uintptr_t end);

/* Adds the lines to the check file, after the search. */
void dangling_write(void);

#endif
