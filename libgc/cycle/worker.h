/* Workers: the collector's own threads, which mark and sweep in the background.
 *
 * A quarter of the processors, at least one; made when the first cycle is due, politely niced, all
 * signals blocked, unknown to libc. Each does turns of work as long as there are any and then
 * sleeps until somebody stirs the queue (mark/queue.h). Without them (none wanted, none to be had,
 * a forked child before its first cycle) allocating threads do all the work.
 */
#ifndef TITHE_CYCLE_WORKER_H
#define TITHE_CYCLE_WORKER_H

#include "mark/scan.h"

#include <stdbool.h>

/* Makes the workers if there are none yet, with what each turn does: false when there was nothing
 * to do. Returns how many there are. No lock held. */
unsigned worker_start(bool (*turn)(struct marker *marker));

/* Ends all workers and waits until the kernel has forgotten them; worker_start makes new ones.
 * While marking goes on, somebody else must go on with it. */
void worker_dismiss(void);

unsigned worker_count(void);

/* In the child of a fork: there are none. */
void worker_after_fork(void);

#endif
