/* Memory that is closed to reads while the world is stopped: PROT_NONE, execute-only, write-only.
 *
 * What the program closed it may open again, so what is there counts. Where the kernel does not
 * read it for us (memory_reads_closed), or not this map, it is opened for the rest of the stop. The
 * conductor's alone, with the world stopped.
 */
#ifndef TITHE_ROOTS_OPENED_H
#define TITHE_ROOTS_OPENED_H

#include <stdbool.h>
#include <stdint.h>

/* Room to remember what is opened. Before a stop. False when out of memory. */
bool opened_make_room(void);

/* True if memory_read reads the byte; else opened_add is to be tried. */
bool opened_is_needless(uintptr_t address);

/* Opens whole pages that have this protection, until opened_end. False when the kernel refuses,
 * or there are too many. */
bool opened_add(uintptr_t start, uintptr_t end, int protection);

/* Before the world starts: everything is as the program left it. */
void opened_end(void);

#endif
