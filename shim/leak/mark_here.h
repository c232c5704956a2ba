/* A whole cycle by the calling thread, on a stack that is no root: the work of a mark leaves
 * addresses on it. One at a time, by a thread of the program's.
 */
#ifndef TITHE_SHIM_LEAK_MARK_HERE_H
#define TITHE_SHIM_LEAK_MARK_HERE_H

#include <stdbool.h>
#include <stddef.h>

struct marker;

/* With beyond, only the frames outwards of the function at that address count as live, for the exit
 * of the program. False when no cycle was possible. */
bool mark_here(const void *beyond, size_t beyond_bytes);

/* In the stop: the registers of the frame from which on the thread's stack counts are roots. */
void mark_here_push(struct marker *marker);

#endif
