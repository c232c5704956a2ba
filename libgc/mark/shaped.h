/* Marking by shape: objects that tell where their pointers are, and objects that are roots.
 *
 * Lengths, maps of words and descriptors in the object are followed whenever the object is scanned.
 * Procedures are the program's own code, written for a collector that stops the world: they run
 * only when it is stopped, in the conductor. An object with a procedure that is reached earlier
 * turns black unread, and is visited in the stop with all others of that sort.
 */
#ifndef TITHE_MARK_SHAPED_H
#define TITHE_MARK_SHAPED_H

#include "mark/scan.h"

/* As libgc's GC_mark_proc, whose two positions on a mark stack are both the marker here. */
typedef void *(*shaped_procedure)(uintptr_t *object, void *marker, void *limit, uintptr_t argument);

enum { SHAPED_PROCEDURES = 64 };

/* The procedure that descriptors with this index call; before the first of those is in use. */
void shaped_set_procedure(unsigned index, shaped_procedure procedure);

/* From now on every word of a shaped object keeps plain objects, whatever the shape says: the
 * program has them from malloc, and libgc's kinds do not speak of those. */
void shaped_keep_plain(void);

/* A descriptor for a map that is too long to be one; bit i is word i. A cautious descriptor when
 * out of memory. By a thread of the program's, without locks. */
uintptr_t shaped_long_map(const uintptr_t *bits, size_t words);

/* Scans an object, which was at [start, end) when the caller looked. */
void shaped_scan(struct marker *marker, struct object object, uintptr_t start, uintptr_t end);

/* Scans what lies in [start, end) of an object that was marked before. No procedure is run for
 * that: what is black when the stop begins has its turn then, and what turns black later is scanned
 * whole when it does. */
void shaped_scan_again(struct marker *marker, struct object object, uintptr_t start, uintptr_t end);

/* The world is stopped: scans what is at start, a number of words or an object, as a descriptor of
 * the program's says. */
void shaped_scan_as(struct marker *marker, uintptr_t start, uintptr_t descriptor);

/* Makes all held objects grey: a mark begins. With all sets locked. */
void shaped_mark_held(struct marker *marker);

/* The world is stopped, until shaped_resume: runs the procedures of all black objects. */
void shaped_stop(struct marker *marker);

/* False when not all procedures were run: nothing may be concluded from the mark. */
bool shaped_resume(void);

/* Stopped: runs the procedure of an object that a marker has found since. False when there is none.
 */
bool shaped_run_found(struct marker *marker);

/* Calls visit for each allocated shaped or held object. With all sets locked. */
void shaped_each(void (*visit)(struct object object, void *context), void *context);

#endif
