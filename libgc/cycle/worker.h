/* Workers: the collector's own threads, which mark and sweep in the background.
 *
 * A quarter of the processors, at least one; made when the first cycle is due, politely niced, all
 * signals blocked, unknown to libc. Each does turns of work as long as there are any and then
 * sleeps until somebody stirs the queue (mark/queue.h). Beside them are helpers for the stop, when
 * the program's processors are idle: as many as make use of those, up to a few. Without workers
 * (none wanted, none to be had, a forked child before its first cycle) allocating threads do all
 * the work.
 */
#ifndef TITHE_CYCLE_WORKER_H
#define TITHE_CYCLE_WORKER_H

#include "mark/scan.h"

#include <stdbool.h>

struct worker_turns {
    bool (*work)(struct marker *marker); /* a turn in the background; false: nothing to do */
    bool (*help)(struct marker *marker); /* a turn in the stop */
};

/* Makes the threads if there are none yet. Returns how many workers there are. No lock held, all
 * signals blocked. */
unsigned worker_start(struct worker_turns turns);

/* Ends all threads and waits until the kernel has forgotten them; worker_start makes new ones.
 * While marking goes on, somebody else must go on with it. */
void worker_dismiss(void);

unsigned worker_count(void);

/* How many there are to be. */
unsigned worker_wanted(void);

/* From the first call on the helpers are awake, or sleep for want of work; from the second on they
 * sleep for good. By the conductor, around the stop. */
void worker_call_helpers(void);
void worker_release_helpers(void);

/* In the child of a fork: there are none. */
void worker_after_fork(void);

#endif
