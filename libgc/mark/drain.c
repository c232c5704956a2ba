/* Spans off the queue, their objects through the marker's rings; see drain.h. */
#include "mark/drain.h"

#include "mark/queue.h"

void drain_all(struct marker *marker) {
    struct span *span;
    scan_drain_rings(marker);
    while ((span = queue_pop()) != NULL) {
        scan_span(marker, span);
        scan_drain_rings(marker);
    }
}
