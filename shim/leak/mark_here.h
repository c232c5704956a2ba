/* A whole cycle by the calling thread, on a stack that is no root: the work of a mark leaves
 * addresses on it. One at a time, by a thread of the program's.
 */
#ifndef TITHE_SHIM_LEAK_MARK_HERE_H
#define TITHE_SHIM_LEAK_MARK_HERE_H

#include <stdbool.h>
#include <stddef.h>

struct marker;

/* What counts as live of the calling thread, at the program's end. All of it, where nothing is
 * given, or what is given is not found. */
struct mark_from {
    const void *function; /* only the frames outwards of the one that begins there */
    size_t function_bytes;
    const void *interrupted; /* only what the handler with this context has interrupted */
};

/* False when no cycle was possible. */
bool mark_here(struct mark_from from);

/* In the stop: the registers of the frame from which on the thread's stack counts are roots. */
void mark_here_push(struct marker *marker);

#endif
