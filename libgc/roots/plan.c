/* Parts, tracked or not; see plan.h. */
#include "roots/plan.h"

#include "heap/metadata.h"
#include "mark/jobs.h"
#include "os/dirty.h"
#include "os/handled.h"
#include "os/memory.h"
#include "os/resident.h"
#include "roots/opened.h"
#include "roots/tracked.h"
#include "roots/unknown.h"

#include <sys/mman.h>

enum {
    SMALL_PART = 128 << 10,     /* bytes that are sooner read again than tracked */
    MOST_UNTRACKED = 512 << 10, /* bytes of such, because reading them makes the stop longer */
    GUARD_BYTES = 16 << 10,     /* closed parts of no more are mostly guards with nothing there */
    MOST_TOGETHER = 256,        /* parts in one question for resident pages, and */
    MOST_APART = 1 << 20,       /* bytes between two of them */
    MOST_UNREAD = 4096          /* parts */
};

static enum roots_scope scope;
static bool complete;    /* all jobs could be added */
static size_t bytes;     /* that jobs were added for */
static size_t untracked; /* bytes of small parts */
static bool is_many;     /* small parts are more than that, and tracked */

/* Parts whose resident pages are asked for together: one question for each of 60,000 maps with a
 * guard page would take longer than all the rest of a stop. */
static struct {
    struct part *parts;
    size_t count, first;
} together;

/* Parts in the stop that memory_read does not read. */
static struct part *unread;
static size_t unread_count;

bool plan_make_room(void) {
    if (together.parts == NULL)
        together.parts = metadata_take(MOST_TOGETHER * sizeof *together.parts);
    if (unread == NULL)
        unread = metadata_take(MOST_UNREAD * sizeof *unread);
    return tracked_make_room() && together.parts && unread && opened_make_room();
}

void plan_begin(enum roots_scope new_scope) {
    scope = new_scope;
    complete = true;
    bytes = untracked = unread_count = 0;
    is_many = false;
    tracked_begin(scope == ROOTS_TRACKED);
}

size_t plan_bytes(void) { return bytes; }

static void put_off(const struct part *part) {
    if (unread_count == MOST_UNREAD)
        roots_cannot_know("too much memory is closed to reads");
    else
        unread[unread_count++] = *part;
}

/* The first resident page of a closed part tells whether all of it can be read. It may be a guard
 * page, which nobody can; then the part is opened for nothing. */
static bool is_put_off(struct part *part, uintptr_t page) {
    if (!part->closed || scope == ROOTS_TRACKED)
        return false;
    if (!part->tried) {
        part->tried = true;
        part->readable = !part->secret && opened_is_needless(page);
        if (!part->readable)
            put_off(part);
    }
    return !part->readable;
}

/* Resident pages may stick out of the part at both ends. */
static void add_pages(uintptr_t start, uintptr_t end, void *context) {
    struct part *part = context;
    start = start > part->start ? start : part->start;
    end = end < part->end ? end : part->end;
    if (start >= end || is_put_off(part, start))
        return;
    bytes += end - start;
    enum job_kind kind = part->safe ? JOB_SAFE_ROOTS : JOB_ROOTS;
    complete &= jobs_add((struct job){start, end, kind, part->mode});
}

/* Remembers the part for roots_plan_written; where it cannot, the last plan reads it whole. Guards
 * are many where there are many stacks, and would part these from each other. */
static void track(const struct part *part) {
    size_t size = part->end - part->start, most = roots_follow_libgc() ? SIZE_MAX : MOST_UNTRACKED;
    if (part->closed && size <= GUARD_BYTES && !is_many)
        return;
    if (size < SMALL_PART && untracked + size <= most) {
        untracked += size;
        return;
    }
    is_many |= size < SMALL_PART;
    tracked_add(part);
}

/* Runs of resident pages come in order, and may reach over several parts. */
static void add_together(uintptr_t start, uintptr_t end, void *context) {
    (void)context;
    while (together.first < together.count && together.parts[together.first].end <= start)
        together.first++;
    for (size_t i = together.first; i < together.count && together.parts[i].start < end; i++)
        add_pages(start, end, &together.parts[i]);
}

static void ask_together(void) {
    if (together.count == 0)
        return;
    const struct part *first = &together.parts[0], *last = &together.parts[together.count - 1];
    together.first = 0;
    resident_each(first->start, last->end, first->private_only, add_together, NULL);
    together.count = 0;
}

static bool fits_together(const struct part *part) {
    if (together.count == 0)
        return true;
    const struct part *last = &together.parts[together.count - 1];
    return together.count < MOST_TOGETHER && last->private_only == part->private_only &&
           part->start >= last->end && part->start - last->end <= MOST_APART;
}

void plan_whole(struct part part) {
    if (part.start >= part.end)
        return;
    if (!fits_together(&part))
        ask_together();
    together.parts[together.count++] = part;
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
    uintptr_t end = part.end;
    const struct part *known = tracked_behind(part.start, end);
    for (; known; known = tracked_next(known, end)) {
        struct part common = between(part, known->start > part.start ? known->start : part.start,
                                     known->end < end ? known->end : end);
        plan_whole(between(part, part.start, common.start));
        if (known->distrusted || known->mode != part.mode ||
            known->private_only != part.private_only ||
            !dirty_peek_any(common.start, common.end, part.private_only, add_pages, &common))
            plan_whole(common);
        part.start = common.end;
    }
    plan_whole(part);
}

/* What is kept beside the page table may have been written through another map, or have lost its
 * entries and with them what they say of writing: it is read whole, every time. */
static void plan_cached(struct part part) {
    part.safe = part.secret;
    part.private_only = false;
    if (!resident_each_cached(part.start, part.end, add_pages, &part))
        roots_cannot_know("pages wait to be handed out by a thread of the program's");
}

/* While the program runs, only memory_read reads what is closed. */
static bool is_for_the_stop(const struct part *part) {
    return scope == ROOTS_TRACKED && (part->secret || (part->closed && !memory_reads_closed()));
}

void plan_part(struct part part) {
    part.start &= ~(uintptr_t)7;
    if (part.start >= part.end || is_for_the_stop(&part))
        return;
    if (scope == ROOTS_TRACKED && handled_kind(part.start, part.end) != HANDLED_NOT)
        return; /* pages that are there now may have gone when they are read */
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

/* Some maps are for writing only, and cannot be made readable; processors read them all the same.
 */
static void read_unread(struct part part) {
    if (!opened_add(part.start, part.end, part.protection)) {
        part.safe = part.protection & PROT_WRITE;
        if (!part.safe)
            roots_cannot_know("memory is closed to reads and the kernel does not open it");
    }
    part.closed = false;
    if (part.cached)
        resident_each_cached(part.start, part.end, add_pages, &part);
    else
        resident_each(part.start, part.end, part.private_only, add_pages, &part);
}

bool plan_end(void) {
    ask_together();
    for (size_t i = 0; i < unread_count; i++)
        read_unread(unread[i]);
    unread_count = 0;
    return complete;
}
