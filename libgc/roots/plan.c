/* Parts, tracked or not; see plan.h. */
#include "roots/plan.h"

#include "heap/metadata.h"
#include "mark/jobs.h"
#include "os/dirty.h"
#include "os/resident.h"

enum {
    MOST_TRACKED = 4096,       /* parts; what is beyond is read whole in the stop */
    SMALL_PART = 128 << 10,    /* bytes that are sooner read again than tracked */
    MOST_UNTRACKED = 512 << 10 /* bytes of such, because reading them makes the stop longer */
};

static enum roots_scope scope;
static bool complete;
static size_t bytes;     /* that jobs were added for */
static size_t untracked; /* bytes of small parts */
static struct part *tracked;
static size_t tracked_count, tracked_next;

bool plan_make_room(void) {
    if (tracked == NULL)
        tracked = metadata_take(MOST_TRACKED * sizeof *tracked);
    return tracked != NULL;
}

void plan_begin(enum roots_scope new_scope) {
    scope = new_scope;
    complete = true;
    bytes = untracked = tracked_next = 0;
    if (scope == ROOTS_TRACKED)
        tracked_count = 0;
}

bool plan_is_complete(void) { return complete; }
size_t plan_bytes(void) { return bytes; }

/* Resident pages may stick out of the part at both ends. */
static void add_pages(uintptr_t start, uintptr_t end, void *context) {
    const struct part *part = context;
    start = start > part->start ? start : part->start;
    end = end < part->end ? end : part->end;
    if (start >= end)
        return;
    bytes += end - start;
    enum job_kind kind = part->safe ? JOB_SAFE_ROOTS : JOB_ROOTS;
    complete &= jobs_add((struct job){start, end, kind, part->mode});
}

static void forget_pages(uintptr_t start, uintptr_t end, void *context) {
    (void)start, (void)end, (void)context;
}

/* Remembers the part for roots_plan_written; where it cannot, the last plan reads it whole. */
static void track(const struct part *part) {
    size_t size = part->end - part->start, most = roots_follow_libgc() ? SIZE_MAX : MOST_UNTRACKED;
    if (size < SMALL_PART && untracked + size <= most) {
        untracked += size;
        return;
    }
    if (!dirty_track(part->start, part->end) ||
        !dirty_take(part->start, part->end, forget_pages, NULL))
        return;
    if (tracked_count < MOST_TRACKED)
        tracked[tracked_count++] = *part;
}

void plan_whole(struct part part) {
    if (part.start < part.end)
        resident_each(part.start, part.end, part.private_only, add_pages, &part);
}

void plan_unasked(struct part part) { add_pages(part.start, part.end, &part); }

/* What of a part lies between two addresses. */
static struct part between(struct part part, uintptr_t start, uintptr_t end) {
    part.start = start;
    part.end = end;
    return part;
}

/* Only what this very mark has read and tracked may be passed over where it was not written since,
 * and only if it is still read in the same way. */
static void plan_written(struct part part) {
    while (tracked_next < tracked_count && tracked[tracked_next].end <= part.start)
        tracked_next++;
    for (size_t i = tracked_next; i < tracked_count && part.start < part.end; i++) {
        const struct part *known = &tracked[i];
        if (known->start >= part.end)
            break;
        struct part common = between(part, known->start > part.start ? known->start : part.start,
                                     known->end < part.end ? known->end : part.end);
        plan_whole(between(part, part.start, common.start));
        if (known->mode != part.mode || known->private_only != part.private_only ||
            !dirty_peek_any(common.start, common.end, part.private_only, add_pages, &common))
            plan_whole(common);
        part.start = common.end;
    }
    plan_whole(part);
}

/* What is kept beside the page table may have been written through another map, or have lost its
 * entries and with them what they say of writing: it is read whole, every time. */
static void plan_cached(struct part part) {
    part.safe = part.private_only = false;
    resident_each_cached(part.start, part.end, add_pages, &part);
}

void plan_part(struct part part) {
    part.start &= ~(uintptr_t)7;
    if (part.start >= part.end)
        return;
    if (part.cached) {
        plan_cached(part);
        return;
    }
    if (scope == ROOTS_WRITTEN) {
        plan_written(part);
        return;
    }
    if (scope == ROOTS_TRACKED)
        track(&part);
    plan_whole(part);
}

bool roots_plan_written(void) {
    bool added = true;
    for (size_t i = 0; i < tracked_count && added; i++) {
        const struct part *part = &tracked[i];
        added = jobs_add((struct job){part->start, part->end, JOB_WRITTEN_ROOTS, part->mode});
    }
    return added;
}

void roots_relax(void) {
    for (size_t i = 0; i < tracked_count; i++)
        dirty_relax(tracked[i].start, tracked[i].end);
}
