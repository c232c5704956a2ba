/* Roots: everything outside the heap that may hold a pointer into it.
 *
 * All readable memory of the process but our own, code on disk and devices: data segments, stacks
 * from the stack pointer up, thread blocks and TLS, anonymous maps private and shared, also ones
 * made read-only later; machine code in anonymous memory at every byte. Only resident pages are
 * visited, and of a file's private map only those that no longer equal the file. Foreign memory is
 * copied out with maps_read, so that its vanishing cannot crash the marker.
 *
 * The world is stopped, the registry locked; the caller runs on a stack of the collector's own.
 */
#ifndef TITHE_MARK_ROOTS_H
#define TITHE_MARK_ROOTS_H

#include "mark/scan.h"

/* Prepares for this many threads. Before the stop, because it may take metadata. False when out of
 * memory. */
bool roots_prepare(unsigned threads);

/* False when the roots could not all be read: then nothing may be concluded from the mark. */
bool roots_scan(struct marker *marker);

/* Bytes of root memory that the last roots_scan read. */
size_t roots_bytes(void);

#endif
