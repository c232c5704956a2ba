/* The steps of cycles, each taken by whoever comes to it: a worker, or a frozen thread of the
 * program's. For the files of this room that decide who: cycle, turns, demand and hold.
 */
#ifndef TITHE_CYCLE_STEPS_H
#define TITHE_CYCLE_STEPS_H

#include "cycle/cycle.h"
#include "os/park.h"

struct thread;

/* Held by the conductor. Whoever waits for it is frozen or a worker. */
extern struct lock steps_lock;

/* Written with the lock; a glance needs none, because all is decided with it. */
extern volatile bool steps_enabled;

/* Somebody wants a worker to begin a cycle; any thread, plain: it is asked again. */
extern volatile bool steps_requested;

/* The number of a cycle that somebody asked for; any thread. */
extern volatile unsigned steps_wanted;

/* Workers only mark and sweep: hooks may be the program's own code. Written before there are
 * cycles.
 */
extern bool steps_by_program;

/* Whether such a cycle has not begun. */
bool steps_are_wanted(void);

/* Whether the calling thread may do anything for a cycle. One whose program holds a lock of ours
 * allocates without paying, and does nothing for a cycle, which needs that lock. */
bool steps_are_possible(void);

/* Begins a cycle, or tries the stop of one again that was put off. On a worker's stack, with self
 * NULL, or in the thread self, frozen. What was due may have been done by another one meanwhile. */
void steps_begin(struct thread *self, enum cycle_trigger trigger);
void steps_begin_paced(struct thread *thread);
void steps_begin_wanted(struct thread *thread);

/* The same, if the cycle that the thread waits for has not ended. */
void steps_begin_awaited(struct thread *thread);

/* The same: the round is complete, so somebody has to see to the next step. */
void steps_advance(struct thread *self);

#endif
