/* The steps of a cycle, as cycle.h describes them; each is called under the cycle's lock, on a
 * worker's stack (self is NULL then) or by the frozen thread self, all signals blocked.
 */
#ifndef TITHE_CYCLE_CONDUCT_H
#define TITHE_CYCLE_CONDUCT_H

#include "cycle/cycle.h"

struct thread;

/* Begins a cycle; the phase is off. Returns with marking open, or with the cycle ended. */
void conduct_begin(struct thread *self, enum cycle_trigger trigger);

/* Tries the stop of a cycle again that is nothing else, if that is due; the phase is off, and the
 * stop was put off. */
void conduct_go_on(void);

/* Goes on from a round that was complete and is claimed: opens another one, or ends the cycle. */
void conduct_advance(struct thread *self);

/* Numbers of the last cycle that began and of the last that ended, whole or cancelled. Any thread.
 */
unsigned conduct_begun(void);
unsigned conduct_ended(void);
bool conduct_was_cancelled(unsigned cycle);

/* An assist has found a round complete. Any thread. */
void conduct_count_completion(void);

/* In the child of a fork, with those locks held: the cycle that went on in the parent is given up.
 */
void conduct_after_fork(void);

#endif
