/* The one stop of a cycle: everybody is held still, what is left of the mark is done, and what is
 * dead is known. By the conductor, under the cycle's lock.
 */
#ifndef TITHE_CYCLE_STOP_H
#define TITHE_CYCLE_STOP_H

#include <stdbool.h>

struct cycle;

enum stop_result {
    STOP_LATE,          /* threads took longer to answer than they may */
    STOP_IMPOSSIBLE,    /* one is out of reach */
    STOP_ROOTS_UNKNOWN, /* the mark is worth nothing, as roots/unknown tells */
    STOP_DONE           /* what is dead waits to be swept */
};

/* If nothing is marked yet, all of the mark is made in the stop. */
enum stop_result stop_try(struct cycle *cycle);

/* With the registry's lock: makes room for the list of roots, as many as there may be with so many
 * threads. False, the reason being noted, when there is none. */
bool stop_make_room(void);

#endif
