/* What is remembered and said of cycles.
 *
 * The conductor fills the record of the cycle that goes on and reports it at its end, under the
 * cycle's lock; totals are read by anybody.
 */
#ifndef TITHE_CYCLE_REPORT_H
#define TITHE_CYCLE_REPORT_H

#include "cycle/cycle.h"

struct cycle {
    enum cycle_trigger trigger;
    unsigned number;
    bool concurrent; /* else marked in the stop as a whole */
    bool alone;      /* and so little that nobody is woken to help */
    unsigned rounds;
    bool put_off; /* its stop has failed and is to be tried again */
    size_t trigger_bytes, goal_bytes, live_before, live_most, live_after;
    long long round_opened; /* clock */
    size_t written;         /* bytes on written pages that the last round found */
    size_t cached_objects;  /* kept because they lay in thread caches */
    size_t stop_written;    /* the same in the stop */
    size_t stop_scanned;    /* bytes scanned in the stop by its conductor */
    long long stop_begun, stop_stopped, stop_planned, stop_settled; /* clock */
    long long stop_nanoseconds;
    const char *reason; /* why it was cancelled */
};

/* Counts the cycle, and says its line if statistics are wanted. */
void report_cycle(const struct cycle *cycle, bool done);

/* Counts a time for which the program stood, whatever came of it. */
void report_stop(long long nanoseconds);

/* Calls visit for each reason for which cycles were cancelled, and how many were. A glance. */
void report_each_reason(void (*visit)(const char *reason, size_t cycles, void *context),
                        void *context);

#endif
