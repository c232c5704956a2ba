/* The conductor: a collection from its first step to its last.
 *
 * Prepare (finish the last sweep), stop the world, mark from the roots, settle what thread caches
 * hold, start the world, sweep. The whole mark runs in the stop; its phases are separate so that
 * they can run beside the program. All of it runs on a stack of the collector's own, while the
 * calling thread's is frozen and scanned like any other.
 *
 * Callers hold no lock of ours. A collection is impossible in the child of a vfork or a raw fork,
 * in a thread that has left, before cycle_enable, and when the roots cannot be known; then nothing
 * happens and nothing is reclaimed.
 */
#ifndef TITHE_CYCLE_CYCLE_H
#define TITHE_CYCLE_CYCLE_H

#include <stdbool.h>
#include <stddef.h>

enum cycle_trigger { CYCLE_PACED, CYCLE_FORCED, CYCLE_OUT_OF_MEMORY };

struct cycle_totals {
    size_t cycles, cancelled;
    long long stop_longest, stop_total; /* nanoseconds */
};

/* Collections are possible from now on: the library's constructor calls this. */
void cycle_enable(void);

/* No collection is possible any more in this process. */
void cycle_disable(void);

/* Called before a cache is refilled or a large object taken: collects if the pacer says so. */
void cycle_poll(void);

/* Collects now: a mark that starts after the call, swept when it returns. False when impossible. */
bool cycle_collect(enum cycle_trigger trigger);

struct cycle_totals cycle_totals(void);

/* False in the child of a vfork or a raw fork. */
bool cycle_in_own_process(void);

/* Around a fork: no collection runs and no lock of the collector's is held by another thread. */
void cycle_before_fork(void);
void cycle_after_fork(bool child);

#endif
