/* Between cycles nobody asks which pages are written, so the heap's pages are made writable again:
 * otherwise the program would pay a fault for each that it writes to. In the background, some pages
 * at a time; a page that is missed, or made writable too late, merely counts as written.
 */
#ifndef TITHE_CYCLE_RELAX_H
#define TITHE_CYCLE_RELAX_H

#include <stdbool.h>

/* A cycle that tracked has ended: by the conductor. */
void relax_begin(void);

/* Does some of it. False when nothing was left. Any thread. */
bool relax_some(void);

#endif
