/* One leak check: marks, finds what is lost, sums up what is not, and writes the check file
 * (doc/leak-checks.md).
 *
 * The mark is an ordinary cycle of the collector's. At its end, with the world stopped, the
 * program's blocks that are still white are lost: they are listed, and then kept, with all they
 * lead to, as if they were reachable; so nothing of the program's is ever collected while leaks are
 * hunted, and lost blocks lie still and can be looked at after the stop.
 */
#ifndef TITHE_SHIM_LEAK_CHECK_H
#define TITHE_SHIM_LEAK_CHECK_H

#include "leak/mark_here.h"

#include <stdbool.h>
#include <stddef.h>

/* Growth: the heap has become so large that a collection is due, and checks collect. */
enum check_trigger {
    CHECK_EXIT,
    CHECK_SIGNAL,
    CHECK_TIMER,
    CHECK_REQUEST,
    CHECK_CALL,
    CHECK_GROWTH,
    CHECK_EXEC /* of a trial only: another program takes this one's place */
};

/* Prepares for checks; by the constructor. */
void check_start(void);

/* By a thread of the program's, on its own stack or in a signal handler: a whole check, on a
 * private stack. Returns the number of lost blocks that are not to be ignored, -1 when no check was
 * possible. */
long check_in_program(enum check_trigger trigger, struct mark_from from);

/* By the listener, a thread of the collector's: asks for a cycle whose end it awaits. Sets *number
 * to the check's. The same result. */
long check_in_background(enum check_trigger trigger, unsigned *number);

/* Checks made so far in this process. */
unsigned check_count(void);

/* In the child of a fork. */
void check_after_fork(void);

#endif
