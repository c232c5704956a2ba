/* Spans off the queue and jobs off their list, until nothing is left; see drain.h. */
#include "mark/drain.h"

#include "mark/jobs.h"
#include "mark/queue.h"
#include "mark/rescan.h"
#include "mark/shaped.h"
#include "mark/words.h"

static bool run_job(struct marker *marker) {
    struct job job;
    if (!jobs_take(&job))
        return false;
    rescan_run(marker, &job);
    return true;
}

size_t drain(struct marker *marker, size_t quota) {
    size_t before = marker->scanned;
    marker->limit = quota > SIZE_MAX - before ? SIZE_MAX : before + quota;
    do
        scan_in_hand(marker);
    while (marker->scanned < marker->limit &&
           (scan_next_span(marker) || run_job(marker) || scan_weak(marker)));
    scan_give_back(marker);
    return marker->scanned - before;
}

void drain_stopped(struct marker *marker) {
    do
        drain(marker, SIZE_MAX);
    while (shaped_run_found(marker));
}
