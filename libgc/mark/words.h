/* Which words of a piece of memory may be addresses of objects: what scan.c needs of this, and this
 * of scan.c. What others call is in scan.h.
 *
 * What counts is evidence.h's to say. Most words do not, and are told from others by a byte or a
 * half, many at a time, so the loop that finds the first word worth a look is all that most memory
 * sees.
 */
#ifndef TITHE_MARK_WORDS_H
#define TITHE_MARK_WORDS_H

#include "mark/scan.h"

enum { SCAN_OVERLAP = 8 }; /* a word may begin in one part of a range and end in the next */

/* What is read, of which nothing outside is; the object it is a part of, which begins at a whole
 * word, or NULL for other memory, where no word is a distance. In machine code every byte counts.
 */
struct words_range {
    uintptr_t start, end;
    const struct object *object;
    bool code;
};

/* Considers the words of a range: with vectors where there are some, and one by one. Both find the
 * same, in another order. */
void words_scan(struct marker *marker, const struct words_range *range);
void words_scan_singly(struct marker *marker, const struct words_range *range);

/* From now on by vectors of 16 bytes, as on processors that have no longer ones: for tests. */
void words_use_short_vectors(void);

/* Considers the words of a part of a plain object, whose ends are multiples of eight. */
void words_scan_inside(struct marker *marker, struct object object, uintptr_t start, uintptr_t end);

/* Looks the marker's addresses up and marks what they lead to. */
void scan_resolve(struct marker *marker);

/* The same for those of weaker evidence. False when there are none. */
bool scan_weak(struct marker *marker);

#endif
