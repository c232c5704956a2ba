/* A second, slow mark on top of the first; see verify.h. */
#include "cycle/verify.h"

#include "heap/layout.h"
#include "heap/pages.h"
#include "mark/jobs.h"
#include "mark/rescan.h"
#include "os/log.h"
#include "roots/roots.h"

/* The newest of what was made black or grey waits in the marker, or grey in its span. */
static void expect_nothing_new(struct marker *marker, const char *what, uintptr_t start,
                               uintptr_t end) {
    scan_give_back(marker);
    if (marker->marked_objects > 0)
        log_fatal("%s %p-%p lead to %zu objects, %zu bytes, that were not marked", what,
                  (void *)start, (void *)end, marker->marked_objects, marker->marked_bytes);
}

static void verify_roots(struct marker *marker) {
    struct job job;
    roots_plan(marker, ROOTS_ALL);
    expect_nothing_new(marker, "registers", 0, 0);
    while (jobs_take(&job)) {
        rescan_run(marker, &job);
        expect_nothing_new(marker, "roots", job.start, job.end);
    }
}

static void verify_span(struct marker *marker, struct span *span, bool objects) {
    for (size_t i = 0; i < AO_int_load(&span->object_count); i++) {
        struct object object = {span, i};
        uintptr_t start = object_address(object), end = start + span->object_bytes;
        if (*object_state(object) == OBJECT_GREY)
            log_fatal("object %p of %zu bytes was marked and not read", (void *)start,
                      span->object_bytes);
        if (!objects || span->kind != OBJECT_SCANNED || *object_state(object) != object_black)
            continue;
        scan_again(marker, object, start, end);
        expect_nothing_new(marker, "the object", start, end);
    }
}

void verify_mark(struct marker *marker, bool objects) {
    uintptr_t start = heap.objects.start, end = start + pages_used_bytes();
    size_t scanned = marker->scanned; /* what is read here is no work */
    for (uintptr_t at = start; at < end; at += HEAP_PAGE_BYTES) {
        struct span *span = heap_span_of(at);
        if (span && span->base == at)
            verify_span(marker, span, objects);
    }
    verify_roots(marker);
    marker->scanned = scanned;
}
