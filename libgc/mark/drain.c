/* Spans off the queue and jobs off their list, until nothing is left; see drain.h. */
#include "mark/drain.h"

#include "mark/jobs.h"
#include "mark/queue.h"
#include "mark/rescan.h"
#include "mark/shaped.h"
#include "mark/words.h"
#include "os/recovery.h"

static bool run_job(struct marker *marker) {
    struct job job;
    if (!jobs_take(&job))
        return false;
    rescan_run(marker, &job);
    return true;
}

static volatile unsigned broken; /* 1 after a read that was a fault; any marker sets */

const char *drain_take_failure(void) {
    bool taken = AO_int_compare_and_swap_full(&broken, 1, 0);
    return taken ? "a part of the heap was closed while it was read" : NULL;
}

static void drain_to_limit(void *context) {
    struct marker *marker = context;
    do
        scan_in_hand(marker);
    while (marker->scanned < marker->limit &&
           (scan_next_span(marker) || run_job(marker) || scan_weak(marker)));
    scan_give_back(marker);
}

/* What a marker has in hand when a read of its is a fault may be anything, so all of the mark is
 * void. */
size_t drain(struct marker *marker, size_t quota) {
    size_t before = marker->scanned;
    marker->limit = quota > SIZE_MAX - before ? SIZE_MAX : before + quota;
    if (!recovery_call(drain_to_limit, marker)) {
        scan_drop(marker);
        AO_int_store_full(&broken, 1);
    }
    return marker->scanned - before;
}

void drain_stopped(struct marker *marker) {
    do
        drain(marker, SIZE_MAX);
    while (shaped_run_found(marker));
}
