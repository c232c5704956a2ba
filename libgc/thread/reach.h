/* Whether threads that do not answer the stop signal can be reached by it at all.
 *
 * A thread that a debugger holds, that is frozen, or that is in a call which no signal ends does
 * not run until somebody else lets it; one that blocks the signal takes none until it admits it.
 * Nobody is to stand still for either. A thread that merely waits for a processor is late, and
 * worth waiting for. By the stopper, with the registry's lock.
 */
#ifndef TITHE_THREAD_REACH_H
#define TITHE_THREAD_REACH_H

#include <stdbool.h>

struct thread;

enum reach {
    REACH_LATE, /* it may answer any moment, as far as is known */
    REACH_GONE, /* it never needs to */
    REACH_NONE  /* out of reach, as thread->unreachable says from then on */
};

/* What was seen of one thread while it was waited for; at first 0. */
struct reach_looks {
    unsigned still, deaf; /* looks in a row in which it had not run, or held it back */
    unsigned long switches;
};

/* Looks at a thread that has not answered for a while. Whether it has been sent a signal of its own
 * decides what its sleep means. */
enum reach reach_look(struct thread *thread, int signal, bool was_sent, struct reach_looks *looks);

/* Looks at a thread of which something else was asked by the signal, and that has not done it. If
 * it stands still with the signal waiting, it is out of reach until it is seen to have run. */
void reach_glance(struct thread *thread, int signal);

/* Asked before anybody is stopped of a thread that was out of reach: false while it still is. */
bool reach_again(struct thread *thread, int signal);

#endif
