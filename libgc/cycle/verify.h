/* Looking a mark over: everything is read once more by one marker, and nothing new may be found.
 *
 * For tests, by the option verify. What was missed for once, a page that could not be read or a
 * list of maps with a hole, is told at the mark that missed it, with the memory that led to it,
 * and not when the program comes upon what was collected.
 */
#ifndef TITHE_MARK_VERIFY_H
#define TITHE_MARK_VERIFY_H

#include "mark/scan.h"

#include <stdbool.h>

/* Aborts if an object is grey, if a root leads to one that is white, or, if objects is set, if a
 * black object does. The mark has just ended, and the world is stopped since it began, if objects
 * is set: what is allocated during a mark is black and need not be read. marker is empty. */
void verify_mark(struct marker *marker, bool objects);

#endif
