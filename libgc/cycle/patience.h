/* How long a stop may take to be answered, and when a failed one is tried again.
 *
 * What a stop may take grows with the time since the first one of the cycle failed, not with the
 * number of tries, and so do the pauses between tries: a thread that waits for a processor gets one
 * in the end, however busy the machine is, and until then the program stands for a small part of
 * the time only. From the first failed stop to the end of the cycle nobody waits for debt: the heap
 * grows instead. By the conductor, unless said otherwise.
 */
#ifndef TITHE_CYCLE_PATIENCE_H
#define TITHE_CYCLE_PATIENCE_H

#include <stdbool.h>

/* Nanoseconds that threads may take to answer the next stop. */
long long patience_budget(void);

/* A stop that was begun then has failed. True when it is worth another try, which is due later;
 * else the cycle is to be given up. */
bool patience_lasts(long long begun);

/* Whether a stop that has failed is still to be tried again. Any thread; a glance. */
bool patience_waits(void);

/* Whether the cycle may go on now, as it may not before that is due. Any thread; a glance. */
bool patience_is_due(void);

/* It goes on. True when a stop had been put off. */
bool patience_try(void);

/* The cycle has ended; whether its stop was had. */
void patience_end(bool stopped);

#endif
