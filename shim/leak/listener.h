/* The listener: a thread of the collector's that waits for requests of a leak check.
 *
 * Requests come over a socket of the process, PROCESS.socket in the directory of the check files,
 * from the same user or root; by a signal, and by the clock, where options ask for that. The thread
 * has a table of files of its own, so that what it opens takes no number from the program.
 */
#ifndef TITHE_SHIM_LEAK_LISTENER_H
#define TITHE_SHIM_LEAK_LISTENER_H

#include <signal.h>
#include <stdbool.h>

/* One must be made after a while: in a forked child. */
extern volatile bool listener_is_due;

/* By the constructor, after check_start. */
void listener_start(void);

/* By a thread of the program's that allocates: makes the listener if one is due. */
void listener_make_when_due(void);
static inline void listener_wake_in_program(void) {
    if (__builtin_expect(listener_is_due, 0))
        listener_make_when_due();
}

bool listener_is_there(void);

/* Whether this is one of the signals' handlers that ask for checks. */
bool listener_handles(const struct sigaction *action);

/* By any thread of the program's: a check is wanted because the heap has grown. False when there is
 * no listener to make it. */
bool listener_ask_for_growth(void);

/* Ends the thread and waits until the kernel has forgotten it; a new one is made later. */
void listener_dismiss(void);

/* In the child of a fork: there is none, and one is due if the child lives for a while. */
void listener_after_fork(void);

#endif
