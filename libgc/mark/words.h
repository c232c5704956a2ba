/* Which words of a piece of memory may be addresses of objects: what scan.c needs of this, and this
 * of scan.c. What others call is in scan.h.
 *
 * Most words are none. They are told from others by their upper halves, four at a time, so the
 * loop that finds the first word worth a look is all that most memory sees.
 */
#ifndef TITHE_MARK_WORDS_H
#define TITHE_MARK_WORDS_H

#include "mark/scan.h"

enum { SCAN_OVERLAP = 8 }; /* a word may begin in one part of a range and end in the next */

/* Learns where the heap is: before a mark. Without it every word is looked up. */
void words_prepare(void);

/* Considers the words of a part of a plain object, whose ends are multiples of eight. */
void words_scan_inside(struct marker *marker, struct object object, uintptr_t start, uintptr_t end);

/* Looks the marker's addresses up and marks what they lead to. */
void scan_resolve(struct marker *marker);

#endif
