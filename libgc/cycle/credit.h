/* Credit: marking that workers have done in advance, and the threads that wait for it.
 *
 * Measured in bytes scanned. Workers flush what they did; it first pays the parked threads in the
 * order in which they parked, a part of a debt too (the rest goes to the end of the queue), and
 * what is left goes into a pool that threads in debt take from before they work themselves. None is
 * made or lost. One lock, a leaf, taken only with all signals blocked; taking from the pool needs
 * none.
 */
#ifndef TITHE_CYCLE_CREDIT_H
#define TITHE_CYCLE_CREDIT_H

#include <stddef.h>

struct thread;

/* Workers: so much was done. */
void credit_flush(size_t work);

/* Takes up to so much from the pool; returns how much. */
size_t credit_take(size_t work);

/* Parks the calling thread, frozen, until thread->owed was paid, marking ended, somebody stirs, or
 * nanoseconds have passed. thread->owed is what is still to be paid afterwards. */
void credit_park(struct thread *thread, long long nanoseconds);

/* Where spans are queued, wakes the thread that parked first, if any, without paying: there is work
 * that it can do. */
void credit_call_first(void);

/* Wakes all parked threads; after the phase has changed. */
void credit_wake_all(void);

/* The pool is empty, as at the beginning of a mark. */
void credit_reset(void);

/* In the child of a fork: nobody is parked. */
void credit_after_fork(void);

/* Around a fork. */
void credit_lock(void);
void credit_unlock(void);

#endif
