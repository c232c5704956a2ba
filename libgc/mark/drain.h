/* Draining: marking until nothing is left, or until enough was done. */
#ifndef TITHE_MARK_DRAIN_H
#define TITHE_MARK_DRAIN_H

#include "mark/scan.h"

#include <stddef.h>

/* Takes grey spans and jobs, and marks, until there are none or at least quota bytes were scanned.
 * Afterwards the marker holds nothing: what it found and did not get to is queued. Returns the
 * bytes scanned. */
size_t drain(struct marker *marker, size_t quota);

/* Why the mark is void, once, if a marker ran into memory of the heap that the program had closed
 * unseen: then not all was marked that is alive. NULL if none did. */
const char *drain_take_failure(void);

/* Marks all there is to mark, procedures of the program's included. The world is stopped and nobody
 * else marks. */
void drain_stopped(struct marker *marker);

#endif
