/* The parts of memory that are not plain memory, found before the maps are walked.
 *
 * Our own regions, the dead part of each stack and what was excluded are passed over; the live part
 * of each stack is read as one. The list is in the order of addresses, and none overlap. The
 * conductor finds them; then any number may ask.
 */
#ifndef TITHE_ROOTS_EXCEPTIONS_H
#define TITHE_ROOTS_EXCEPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct exception {
    uintptr_t start, end;
    bool skipped; /* else it is the live part of a stack */
};

/* Makes room for what this many threads need. Before a stop, because it may take metadata. False
 * when out of memory. */
bool exceptions_make_room(unsigned threads);

/* Finds them all anew, after stacks_find. While the program runs, stacks are skipped whole. The
 * registry's lock is held. */
void exceptions_find(bool stopped);

/* Those that reach into [start, end), one after the other: NULL, or more of them, when there is no
 * other. */
const struct exception *exceptions_behind(uintptr_t start, uintptr_t end);
const struct exception *exceptions_next(const struct exception *exception, uintptr_t end);

#endif
