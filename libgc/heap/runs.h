/* Free runs of pages, in bins by length; for pages.c, which has the lock that all of this needs.
 *
 * A free run is a span without objects, so that the page table needs only one kind of entry, and
 * has a descriptor of its own in the page table at its first and last page. A run is in a bin
 * unless somebody has just taken it out, and joined with its free neighbours of the same sort.
 */
#ifndef TITHE_HEAP_RUNS_H
#define TITHE_HEAP_RUNS_H

#include "heap/span.h"

struct run {
    struct run *older, *newer; /* idle runs in the order in which they became idle */
    long since;                /* milliseconds, for idle runs */
    struct span span;          /* last, because of the states it does not have */
};

struct runs {
    struct run *oldest, *newest; /* of the idle ones */
    size_t idle_bytes;           /* read without the lock as a hint, like the next */
    size_t released_bytes;
};

extern struct runs runs;

/* Idle runs still have their memory; released ones have none, and read as zero. */
enum run_sort { RUN_IDLE, RUN_RELEASED };

/* The shortest that is long enough, or nearly; NULL when there is none. */
struct run *runs_find(enum run_sort sort, size_t count);

/* The free run that a page begins or ends; NULL when it does neither. */
struct run *run_at(uintptr_t address);

/* Makes a free run of pages whose entries are clear. Pages that no descriptor can be had for stay
 * out of use until their neighbours are freed. */
void run_make(uintptr_t base, size_t count, bool zeroed, bool stale);

/* Cuts [base, base + count pages) out of a free run; what is left on either side stays free.
 * Returns what the run was. */
struct span run_carve(struct run *run, uintptr_t base, size_t count);

/* Takes a run out of its bin and the page table, so that nobody can take it or join it, and puts it
 * back, joined with what is free on both sides. */
void run_take_out(struct run *run);
void run_insert(struct run *run);

/* Enters a span, or NULL, in the page table for so many pages, with its class. */
void runs_enter(uintptr_t base, size_t count, struct span *span, unsigned class);

#endif
