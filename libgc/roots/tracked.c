/* A list in the order of addresses; see tracked.h. */
#include "roots/tracked.h"

#include "heap/metadata.h"
#include "mark/jobs.h"
#include "mark/rescan.h"
#include "os/dirty.h"
#include "roots/exceptions.h"
#include "roots/sorting.h"
#include "roots/unknown.h"

#include <atomic_ops.h>
#include <string.h>

enum {
    FEWEST = 1024,             /* parts that there is room for, at first */
    CHUNK_PARTS = 256,         /* in one job: the kernel takes 0.4 us for a map of one page */
    CHUNK_BYTES = 64 << 20,    /* the same: and 0.2 ms for a GiB */
    MOST_UNKNOWN = 4096,       /* places; beyond them all maps are listed */
    OVERLAP = sizeof(uint64_t) /* a word may begin on one page and end on the next */
};

struct entry {
    struct part part;
    bool follows; /* the one before, in a stretch */
    bool member;  /* of a stretch: it is a whole map */
};

/* The list grows by doubling; what it outgrows is not used again. */
static struct entry *entries;
static size_t room, count;
static bool any_distrusted;

/* The map that parts are now added of. */
static struct {
    uintptr_t start, end;
    bool is_member, follows;
} map;

struct place {
    uintptr_t start, end;
};

static struct place *unknown;
static volatile AO_t unknown_count; /* may exceed the room; any marker adds */

void tracked_begin(bool anew) {
    AO_store(&unknown_count, 0);
    if (!anew)
        return;
    count = 0;
    any_distrusted = map.is_member = false;
}

void tracked_map(uintptr_t start, uintptr_t end) {
    map.follows = map.is_member;
    map.start = start;
    map.end = end;
    map.is_member = false;
}

static bool grow(void) {
    size_t more = room > 0 ? 2 * room : FEWEST;
    struct entry *grown = metadata_take(more * sizeof *grown);
    if (grown == NULL)
        return false;
    if (count > 0)
        memcpy(grown, entries, count * sizeof *grown);
    entries = grown;
    room = more;
    return true;
}

static void forget_pages(uintptr_t start, uintptr_t end, void *context) {
    (void)start, (void)end, (void)context;
}

/* Most were tracked in the mark before. */
static bool take(uintptr_t start, uintptr_t end) {
    return dirty_take(start, end, forget_pages, NULL) ||
           (dirty_track(start, end) && dirty_take(start, end, forget_pages, NULL));
}

bool tracked_add(const struct part *part) {
    if ((count == room && !grow()) || !take(part->start, part->end))
        return false;
    bool member = part->start == map.start && part->end == map.end && part->mode == SCAN_WORDS &&
                  part->private_only;
    entries[count++] = (struct entry){*part, member && map.follows, member};
    map.is_member = member;
    return true;
}

static const struct part *at(size_t index, uintptr_t end) {
    return index < count && entries[index].part.start < end ? &entries[index].part : NULL;
}

const struct part *tracked_behind(uintptr_t start, uintptr_t end) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entries[middle].part.end <= start)
            low = middle + 1;
        else
            high = middle;
    }
    return at(low, end);
}

const struct part *tracked_next(const struct part *part, uintptr_t end) {
    return at((const struct entry *)part - entries + 1, end);
}

void roots_distrust(uintptr_t start, uintptr_t end) {
    const struct part *part = tracked_behind(start, end);
    for (; part; part = tracked_next(part, end)) {
        entries[(const struct entry *)part - entries].part.distrusted = true;
        any_distrusted = true;
    }
}

void tracked_each_distrusted(uintptr_t start, uintptr_t end,
                             void (*visit)(const struct part *part, void *context), void *context) {
    const struct part *part = any_distrusted ? tracked_behind(start, end) : NULL;
    for (; part; part = tracked_next(part, end))
        if (part->distrusted)
            visit(part, context);
}

/* One past the last entry of the stretch that begins with one. */
static size_t stretch_end(size_t first) {
    size_t last = first + 1;
    while (last < count && entries[last].follows)
        last++;
    return last;
}

void tracked_each_stretch(void (*visit)(uintptr_t start, uintptr_t end, void *context),
                          void *context) {
    for (size_t i = 0, end; i < count; i = end) {
        end = stretch_end(i);
        if (entries[i].member)
            visit(entries[i].part.start, entries[end - 1].part.end, context);
    }
}

/* Jobs of a stretch leave nothing between them, since new maps may have come there. */
static bool plan_stretch(size_t first, size_t end, enum job_kind kind) {
    uintptr_t start = entries[first].part.start, done = start;
    bool added = true;
    size_t parts = 0;
    for (size_t i = first; i < end && added; i++) {
        uintptr_t at = entries[i].part.start, part_end = entries[i].part.end;
        bool is_large = part_end - at > CHUNK_BYTES;
        for (; added && part_end - at > CHUNK_BYTES; done = at)
            added = jobs_add((struct job){done, at += CHUNK_BYTES, kind, SCAN_WORDS});
        parts = is_large ? 0 : parts + 1;
        if (parts < CHUNK_PARTS && i + 1 < end)
            continue;
        added = added && jobs_add((struct job){done, part_end, kind, SCAN_WORDS});
        done = part_end;
        parts = 0;
    }
    return added;
}

static bool plan_stretches(enum job_kind kind) {
    bool added = true;
    for (size_t i = 0, end; i < count && added; i = end) {
        end = stretch_end(i);
        if (entries[i].member)
            added = plan_stretch(i, end, kind);
    }
    return added;
}

bool tracked_plan_stretches(void) { return plan_stretches(JOB_STRETCH_STOPPED); }

bool roots_plan_written(void) {
    bool added = plan_stretches(JOB_STRETCH);
    for (size_t i = 0; i < count && added; i++) {
        const struct part *part = &entries[i].part;
        if (!entries[i].member)
            added = jobs_add((struct job){part->start, part->end, JOB_WRITTEN_ROOTS, part->mode});
    }
    return added;
}

static void relax_stretch(size_t first, size_t end) {
    if (dirty_relax(entries[first].part.start, entries[end - 1].part.end))
        return;
    for (size_t i = first; i < end; i++)
        dirty_relax(entries[i].part.start, entries[i].part.end);
}

void roots_relax(void) {
    for (size_t i = 0, end; i < count; i = end) {
        end = stretch_end(i);
        relax_stretch(i, end);
    }
}

/* What is passed over now may not have been when the mark began. */
static bool read_between(uintptr_t start, uintptr_t end) {
    const struct exception *exception = exceptions_behind(start, end);
    bool added = true;
    for (; exception && added; exception = exceptions_next(exception, end)) {
        if (start < exception->start)
            added = jobs_add((struct job){start, exception->start, JOB_ROOTS, SCAN_WORDS});
        start = exception->end;
    }
    return added && (start >= end || jobs_add((struct job){start, end, JOB_ROOTS, SCAN_WORDS}));
}

/* Live parts of stacks are read by the walk. */
static void visit_written(uintptr_t start, uintptr_t end, void *context) {
    const struct part *part = tracked_behind(start, end);
    (void)context;
    rescan_count_written(end - start);
    for (; part; part = tracked_next(part, end)) {
        uintptr_t low = start - OVERLAP > part->start ? start - OVERLAP : part->start;
        uintptr_t high = end + OVERLAP < part->end ? end + OVERLAP : part->end;
        if (!read_between(low, high))
            roots_cannot_know("out of memory for the list of roots");
    }
}

static void visit_unknown(uintptr_t start, uintptr_t end, void *context) {
    AO_t index = AO_fetch_and_add1_full(&unknown_count);
    (void)context;
    if (index < MOST_UNKNOWN)
        unknown[index] = (struct place){start, end};
}

/* The kernel always answers, but for the want of memory, or where the program has closed the file.
 */
static void run_stretch(const struct job *job) {
    bool told = job->kind == JOB_STRETCH
                    ? dirty_take_stretch(job->start, job->end, visit_written, NULL)
                    : dirty_peek_stretch(job->start, job->end, visit_written, visit_unknown, NULL);
    if (!told)
        roots_cannot_know("the kernel does not tell which pages were written");
}

static bool is_lower(const void *one, const void *other) {
    return ((const struct place *)one)->start < ((const struct place *)other)->start;
}

bool tracked_each_unknown(void (*visit)(uintptr_t start, uintptr_t end, void *context),
                          void *context) {
    size_t found = AO_load(&unknown_count);
    if (found > MOST_UNKNOWN)
        return false;
    sort_in_place(unknown, found, sizeof *unknown, is_lower);
    for (size_t i = 0; i < found; i++)
        visit(unknown[i].start, unknown[i].end, context);
    return true;
}

bool tracked_make_room(void) {
    rescan_stretch_hook = run_stretch;
    if (unknown == NULL)
        unknown = metadata_take(MOST_UNKNOWN * sizeof *unknown);
    return unknown != NULL;
}
