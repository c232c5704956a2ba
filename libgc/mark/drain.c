/* Spans off the queue and jobs off their list, through the marker's rings; see drain.h. */
#include "mark/drain.h"

#include "mark/jobs.h"
#include "mark/queue.h"
#include "mark/rescan.h"
#include "mark/shaped.h"

static bool run_job(struct marker *marker) {
    struct job job;
    if (!jobs_take(&job))
        return false;
    rescan_run(marker, &job);
    return true;
}

/* The rings are only emptied when there is nothing else: as long as they are full, what they wait
 * for comes while the next span is looked at. */
size_t drain(struct marker *marker, size_t quota) {
    size_t before = marker->scanned;
    marker->limit = quota > SIZE_MAX - before ? SIZE_MAX : before + quota;
    do {
        while (marker->scanned < marker->limit && (scan_next_span(marker) || run_job(marker)))
            continue;
        scan_drain_rings(marker);
    } while (marker->scanned < marker->limit &&
             (marker->claimed_count > 0 || jobs_are_left() || !queue_is_empty()));
    scan_give_back(marker);
    return marker->scanned - before;
}

void drain_stopped(struct marker *marker) {
    do
        drain(marker, SIZE_MAX);
    while (shaped_run_found(marker));
}
