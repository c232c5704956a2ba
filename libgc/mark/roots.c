/* Walking the process's maps as roots; see roots.h.
 *
 * Before the walk, the parts of memory that are not plain memory are put into a sorted list: our
 * own regions and the dead part of each stack are passed over, the live part of each stack is
 * scanned as one. The walk then needs one look at the list a map, since both are in address order.
 */
#include "mark/roots.h"

#include "heap/metadata.h"
#include "mark/jobs.h"
#include "os/dirty.h"
#include "os/maps.h"
#include "os/signal.h"
#include "os/tasks.h"
#include "os/vm.h"
#include "thread/thread.h"

enum {
    RED_ZONE = 128, /* below the stack pointer the ABI lets functions keep data */
    OWN_REGIONS = 4,
    RANGES_PER_THREAD = 2,
    MOST_TRACKED = 4096,        /* parts; what is beyond is read whole in the stop */
    SMALL_PART = 128 << 10,     /* bytes that are sooner read again than tracked */
    MOST_UNTRACKED = 512 << 10, /* bytes of such, because reading them makes the stop longer */
    MOST_UNASKED = 1 << 20      /* bytes that are read without asking which pages are resident */
};

struct range {
    uintptr_t start, end;
    bool skipped; /* else it is a stack */
};

/* A part of a map that is one kind of memory. */
struct part {
    uintptr_t start, end;
    enum scan_mode mode;
    bool private_only;
    bool safe; /* its resident pages, while the world is stopped */
};

static struct {
    struct range *ranges;
    size_t room, count, next;
    enum roots_scope scope;
    bool complete;
    bool cached, safe; /* what the map that is being visited is */
    size_t bytes;
    size_t untracked;     /* bytes of small parts */
    struct range *walked; /* maps that were added, and read in the walk already */
    size_t walked_room, walked_count, walked_next, added_next;
    struct part *tracked;
    size_t tracked_room, tracked_count, tracked_next;
} plan;

static struct map main_stack; /* as it was last seen */
static uintptr_t data_end;    /* where the last data segment of a file ended: what follows is its
                                 part without contents in the file */

enum { MOST_ADDED = 8192 };

/* In the order of their starts, until some are taken out of excluded. */
struct range_list {
    size_t count;
    struct vm_region region; /* there from the first range on */
};

static struct range *ranges_of(const struct range_list *list) {
    return (struct range *)list->region.start;
}

static bool limited;
static struct range_list added, excluded; /* the caller's lock, which the conductor holds, too */
static struct range_list disregarded;     /* the conductor's */

void roots_limit(void) { limited = true; }

/* True if one of the ranges covers the whole of this one. */
static bool list_covers(const struct range_list *list, uintptr_t start, uintptr_t end) {
    for (size_t i = 0; i < list->count; i++)
        if (ranges_of(list)[i].start <= start && end <= ranges_of(list)[i].end)
            return true;
    return false;
}

static bool list_add(struct range_list *list, uintptr_t start, uintptr_t end) {
    if (list_covers(list, start, end))
        return true;
    size_t bytes = MOST_ADDED * sizeof(struct range);
    if (list->region.reserved == 0 &&
        (!vm_region_reserve(&list->region, bytes) || !vm_region_commit(&list->region, bytes, 0)))
        return false;
    if (list->count == MOST_ADDED)
        return false;
    struct range *ranges = ranges_of(list);
    size_t at = list->count++;
    for (; at > 0 && ranges[at - 1].start > start; at--)
        ranges[at] = ranges[at - 1];
    ranges[at] = (struct range){start, end, true};
    return true;
}

bool roots_add(uintptr_t start, uintptr_t end) { return list_add(&added, start, end); }
bool roots_exclude(uintptr_t start, uintptr_t end) { return list_add(&excluded, start, end); }
bool roots_are_added(uintptr_t address) { return list_covers(&added, address, address + 1); }

void roots_clear_excluded(void) { excluded.count = 0; }
bool roots_disregard(uintptr_t start, uintptr_t end) { return list_add(&disregarded, start, end); }
void roots_disregard_none(void) { disregarded.count = 0; }

bool roots_are_excluded(uintptr_t start, uintptr_t end) {
    return list_covers(&excluded, start, end);
}

void roots_include(uintptr_t start, uintptr_t end) {
    struct range *ranges = ranges_of(&excluded);
    for (size_t i = 0; i < excluded.count; i++)
        if (ranges[i].start == start && ranges[i].end == end) {
            ranges[i] = ranges[--excluded.count];
            return;
        }
}

void roots_remove(uintptr_t start, uintptr_t end) {
    size_t kept = 0;
    struct range *ranges = ranges_of(&added);
    for (size_t i = 0; i < added.count; i++)
        if (ranges[i].start < start || ranges[i].end > end)
            ranges[kept++] = ranges[i];
    added.count = kept;
}

static size_t found_bytes;

size_t roots_bytes(void) { return found_bytes; }

/* The ranges below and the parts above grow by doubling; what they outgrow is not used again. */
bool roots_prepare(unsigned threads) {
    size_t room = OWN_REGIONS + excluded.count + disregarded.count;
    room += RANGES_PER_THREAD * (threads + 64);
    if (plan.room < room) {
        plan.ranges = metadata_take(2 * room * sizeof *plan.ranges);
        plan.room = plan.ranges ? 2 * room : 0;
    }
    if (plan.tracked == NULL) {
        plan.tracked = metadata_take(MOST_TRACKED * sizeof *plan.tracked);
        plan.tracked_room = plan.tracked ? MOST_TRACKED : 0;
    }
    if (plan.walked_room < added.count) {
        plan.walked = metadata_take(2 * added.count * sizeof *plan.walked);
        plan.walked_room = plan.walked ? 2 * added.count : 0;
    }
    return plan.ranges && plan.tracked && plan.walked_room >= added.count;
}

/* Where the live part of a stack begins. Only a thread that was interrupted may have something
 * below its stack pointer; one that froze by itself is in the middle of a call. */
static uintptr_t live_start(const struct thread *thread) {
    return thread->stack_pointer - (thread->context ? RED_ZONE : 0);
}

static void plan_add(uintptr_t start, uintptr_t end, bool skipped) {
    if (start < end && plan.count < plan.room)
        plan.ranges[plan.count++] = (struct range){start, end, skipped};
}

static void plan_add_region(uintptr_t start, uintptr_t end, void *context) {
    (void)context;
    plan_add(start, end, true);
}

/* When a stopped thread is elsewhere, on a fibre or in a signal handler's stack, all of its own
 * stack may be live; the walk then takes it as plain memory. Where a running one is nobody knows.
 */
static void plan_add_stack(const struct thread *thread) {
    uintptr_t pointer = thread->stack_pointer;
    if (plan.scope == ROOTS_TRACKED) {
        plan_add(thread->stack_low, thread->stack_high, true);
        return;
    }
    if (pointer < thread->stack_low || pointer >= thread->stack_high)
        return;
    uintptr_t live = live_start(thread);
    if (live < thread->stack_low)
        live = thread->stack_low;
    plan_add(thread->stack_low, live, true);
    plan_add(live, thread->stack_high, false);
}

/* Insertion sort: the list is short, and qsort may allocate. */
static void plan_sort(void) {
    for (size_t i = 1; i < plan.count; i++) {
        struct range range = plan.ranges[i];
        size_t at = i;
        for (; at > 0 && plan.ranges[at - 1].start > range.start; at--)
            plan.ranges[at] = plan.ranges[at - 1];
        plan.ranges[at] = range;
    }
}

/* Stopped, or running because it is the collecting thread. */
static bool is_present(const struct thread *thread) { return thread_state(thread) != THREAD_GONE; }

static void scan_registers(const void *start, size_t bytes, void *marker) {
    scan_range(marker, (uintptr_t)start, (uintptr_t)start + bytes, SCAN_STACK);
}

/* Besides its registers, the stack pointer itself: a fibre's stack may be an object. */
static void scan_thread(struct marker *marker, const struct thread *thread) {
    uintptr_t pointer = thread->stack_pointer;
    if (thread->context)
        signal_registers((const void *)thread->context, scan_registers, marker);
    scan_registers(&pointer, sizeof pointer, marker);
    if (pointer >= thread->altstack_low && pointer < thread->altstack_high)
        scan_range(marker, pointer, thread->altstack_high, SCAN_STACK);
}

/* Resident pages may stick out of the part at both ends. */
static void add_pages(uintptr_t start, uintptr_t end, void *context) {
    const struct part *part = context;
    start = start > part->start ? start : part->start;
    end = end < part->end ? end : part->end;
    if (start >= end)
        return;
    plan.bytes += end - start;
    enum job_kind kind = part->safe ? JOB_SAFE_ROOTS : JOB_ROOTS;
    plan.complete &= jobs_add((struct job){start, end, kind, part->mode});
}

static void forget_pages(uintptr_t start, uintptr_t end, void *context) {
    (void)start, (void)end, (void)context;
}

/* Remembers the part for roots_plan_written; where it cannot, the last plan reads it whole. */
static void track_part(const struct part *part) {
    size_t bytes = part->end - part->start, most = limited ? SIZE_MAX : MOST_UNTRACKED;
    if (bytes < SMALL_PART && plan.untracked + bytes <= most) {
        plan.untracked += bytes;
        return;
    }
    if (!dirty_track(part->start, part->end) ||
        !dirty_take(part->start, part->end, forget_pages, NULL))
        return;
    if (plan.tracked_count == plan.tracked_room)
        return;
    plan.tracked[plan.tracked_count++] = *part;
}

static void plan_whole(uintptr_t start, uintptr_t end, bool private_only, enum scan_mode mode) {
    struct part part = {start, end, mode, private_only, plan.safe};
    if (start < end)
        maps_resident(start, end, private_only, add_pages, &part);
}

/* Only what this very mark has read and tracked may be passed over where it was not written since,
 * and only if it is still read in the same way. */
static void plan_written(uintptr_t start, uintptr_t end, bool private_only, enum scan_mode mode) {
    while (plan.tracked_next < plan.tracked_count && plan.tracked[plan.tracked_next].end <= start)
        plan.tracked_next++;
    for (size_t i = plan.tracked_next; i < plan.tracked_count && start < end; i++) {
        const struct part *tracked = &plan.tracked[i];
        if (tracked->start >= end)
            break;
        struct part part = {tracked->start > start ? tracked->start : start,
                            tracked->end < end ? tracked->end : end, mode, private_only, plan.safe};
        plan_whole(start, part.start, private_only, mode);
        if (tracked->mode != mode || tracked->private_only != private_only ||
            !dirty_peek_any(part.start, part.end, private_only, add_pages, &part))
            plan_whole(part.start, part.end, private_only, mode);
        start = part.end;
    }
    plan_whole(start, end, private_only, mode);
}

/* What is kept beside the page table may have been written through another map, or have lost its
 * entries and with them what they say of writing: it is read whole, every time. */
static void plan_cached(uintptr_t start, uintptr_t end, enum scan_mode mode) {
    struct part part = {start, end, mode, false, false};
    maps_resident_cached(start, end, add_pages, &part);
}

static void plan_part(uintptr_t start, uintptr_t end, bool private_only, enum scan_mode mode) {
    start &= ~(uintptr_t)7;
    if (start >= end)
        return;
    if (plan.cached) {
        plan_cached(start, end, mode);
        return;
    }
    if (plan.scope == ROOTS_WRITTEN) {
        plan_written(start, end, private_only, mode);
        return;
    }
    if (plan.scope == ROOTS_TRACKED)
        track_part(&(struct part){start, end, mode, private_only, false});
    plan_whole(start, end, private_only, mode);
}

/* Stacks are read whole by whoever stops the world, and not at all before. */
static void plan_stack(uintptr_t start, uintptr_t end, bool private_only) {
    if (plan.scope != ROOTS_TRACKED)
        plan_whole(start & ~(uintptr_t)7, end, private_only, SCAN_STACK);
}

static bool holds_a_stack_pointer(uintptr_t start, uintptr_t end) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (is_present(thread) && thread->stack_pointer - start < end - start)
            return true;
    return false;
}

static bool holds_a_stack(const struct map *map) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (is_present(thread) && thread->stack_low < map->end && map->start < thread->stack_high)
            return true;
    return holds_a_stack_pointer(map->start, map->end);
}

/* A data segment that was made read-only may still be a program's. */
static bool is_data(const struct map *map) {
    bool is_file = map->kind == MAP_KIND_FILE && !map->shared;
    bool follows = map->kind == MAP_KIND_MEMORY && map->start == data_end;
    if ((is_file && map->writable) || follows)
        data_end = map->end;
    return (is_file && map->writable) || (follows && map->writable);
}

static bool is_root(const struct map *map) {
    if (!map->readable || map->kind == MAP_KIND_OTHER)
        return false;
    if (limited)
        return is_data(map) || map->kind == MAP_KIND_MAIN_STACK || holds_a_stack(map);
    return map->kind != MAP_KIND_FILE || !map->shared || map->writable;
}

/* The main thread has no fixed bounds: its stack is the map, from its stack pointer up. */
static uintptr_t main_stack_start(const struct map *map) {
    int process = tasks_process();
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->tid == process && live_start(thread) >= map->start &&
            thread->stack_pointer < map->end)
            return live_start(thread);
    return map->start;
}

static enum scan_mode mode_of(const struct map *map) {
    if (map->executable && map->kind == MAP_KIND_MEMORY)
        return SCAN_CODE;
    return map->kind == MAP_KIND_MAIN_STACK || holds_a_stack_pointer(map->start, map->end)
               ? SCAN_STACK
               : SCAN_WORDS;
}

/* Where the map's memory begins that is no dead stack; the stack proper, if any, comes first. */
static uintptr_t map_start(const struct map *map) {
    if (map->kind != MAP_KIND_MAIN_STACK)
        return map->start;
    main_stack = *map;
    if (plan.scope == ROOTS_TRACKED)
        return map->end;
    return main_stack_start(map);
}

/* Stacks, and what the program wrote to its data, with nobody there to take it away; libgc reads
 * them, too. Others' memory may be behind a protection key. */
static bool is_safe(const struct map *map) {
    return limited && plan.scope != ROOTS_TRACKED && !map->shared && !map->cached;
}

/* True for a map of which no page is without something that was added. */
static bool is_added_whole(const struct map *map) {
    size_t page = vm_page_bytes();
    const struct range *ranges = ranges_of(&added);
    while (plan.added_next < added.count && ranges[plan.added_next].end <= map->start)
        plan.added_next++;
    for (size_t i = plan.added_next; i < added.count; i++) {
        if ((ranges[i].start & ~(page - 1)) > map->start)
            return false;
        if (((ranges[i].end + page - 1) & ~(page - 1)) >= map->end)
            return true;
    }
    return false;
}

/* True if nothing in the map is to be read in another way than the rest. */
static bool is_plain(const struct map *map) {
    for (size_t i = plan.next; i < plan.count && plan.ranges[i].start < map->end; i++)
        if (plan.ranges[i].end > map->start)
            return false;
    return map->writable && !map->executable;
}

/* What a program adds is mostly maps that are roots anyway, as the segments that guile loads by
 * itself, each a private map of a file. They are read where they are, and once. */
static bool visit_added(const struct map *map) {
    if (!is_safe(map) || !is_plain(map) || plan.walked_count == plan.walked_room ||
        !is_added_whole(map))
        return false;
    struct part part = {map->start, map->end, mode_of(map), false, true};
    if (map->end - map->start <= MOST_UNASKED)
        add_pages(map->start, map->end, &part);
    else
        maps_resident(map->start, map->end, false, add_pages, &part);
    plan.walked[plan.walked_count++] = (struct range){map->start, map->end, true};
    return true;
}

static void visit_map(const struct map *map, void *context) {
    (void)context;
    if (!is_root(map) || (added.count > 0 && visit_added(map)))
        return;
    bool private_only = map->kind == MAP_KIND_FILE && !map->shared;
    enum scan_mode mode = mode_of(map);
    plan.cached = map->cached;
    plan.safe = is_safe(map);
    uintptr_t at = map_start(map);
    while (plan.next < plan.count && plan.ranges[plan.next].end <= at)
        plan.next++;
    for (size_t i = plan.next; i < plan.count && plan.ranges[i].start < map->end; i++) {
        const struct range *range = &plan.ranges[i];
        uintptr_t end = range->end < map->end ? range->end : map->end;
        plan_part(at, range->start, private_only, mode);
        uintptr_t start = range->start > at ? range->start : at;
        if (!range->skipped)
            plan_stack(start, end, private_only);
        if (end > at)
            at = end;
    }
    if (map->kind == MAP_KIND_MAIN_STACK)
        plan_stack(at, map->end, private_only);
    else
        plan_part(at, map->end, private_only, mode);
}

/* The excluded range that covers or follows an address first; NULL when there is none before end.
 */
static const struct range *next_excluded(uintptr_t at, uintptr_t end) {
    const struct range *next = NULL;
    for (size_t i = 0; i < excluded.count; i++) {
        const struct range *range = &ranges_of(&excluded)[i];
        if (range->end > at && range->start < end && (next == NULL || range->start < next->start))
            next = range;
    }
    return next;
}

static void plan_unwalked(uintptr_t at, uintptr_t end) {
    while (plan.walked_next < plan.walked_count && plan.walked[plan.walked_next].end <= at)
        plan.walked_next++;
    for (size_t i = plan.walked_next; i < plan.walked_count && plan.walked[i].start < end; i++) {
        plan_whole(at, plan.walked[i].start, false, SCAN_WORDS);
        at = plan.walked[i].end;
    }
    plan_whole(at, end, false, SCAN_WORDS);
}

/* What was added may be of any kind and lie anywhere, so it is read whole. */
static void plan_added(void) {
    plan.safe = false;
    for (size_t i = 0; i < added.count; i++) {
        uintptr_t at = ranges_of(&added)[i].start & ~(uintptr_t)7, end = ranges_of(&added)[i].end;
        for (const struct range *hole; (hole = next_excluded(at, end)) != NULL; at = hole->end)
            plan_unwalked(at, hole->start);
        plan_unwalked(at, end);
    }
}

/* A range that was told as dead may be somebody's stack again. */
static void plan_excluded(void) {
    for (size_t i = 0; i < excluded.count; i++) {
        const struct range *range = &ranges_of(&excluded)[i];
        if (!holds_a_stack_pointer(range->start, range->end))
            plan_add(range->start, range->end, true);
    }
    for (size_t i = 0; i < disregarded.count; i++)
        plan_add(ranges_of(&disregarded)[i].start, ranges_of(&disregarded)[i].end, true);
}

bool roots_plan(struct marker *marker, enum roots_scope scope) {
    plan.count = plan.next = plan.bytes = plan.tracked_next = plan.untracked = 0;
    plan.walked_count = plan.walked_next = plan.added_next = 0;
    plan.scope = scope;
    plan.complete = true;
    if (scope == ROOTS_TRACKED)
        plan.tracked_count = 0;
    data_end = 0;
    heap_each_region(plan_add_region, NULL);
    plan_excluded();
    for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
        if (!is_present(thread))
            continue;
        plan_add_stack(thread);
        if (scope != ROOTS_TRACKED)
            scan_thread(marker, thread);
    }
    plan_sort();
    bool known = limited ? maps_each_writable(visit_map, NULL) : maps_each(visit_map, NULL);
    plan_added();
    if (scope != ROOTS_WRITTEN)
        found_bytes = plan.bytes;
    return known && plan.complete;
}

bool roots_plan_written(void) {
    bool added = true;
    for (size_t i = 0; i < plan.tracked_count && added; i++) {
        const struct part *part = &plan.tracked[i];
        added = jobs_add((struct job){part->start, part->end, JOB_WRITTEN_ROOTS, part->mode});
    }
    return added;
}

void roots_relax(void) {
    for (size_t i = 0; i < plan.tracked_count; i++)
        dirty_relax(plan.tracked[i].start, plan.tracked[i].end);
}

/* The main thread's stack has no fixed bounds; it only grows, so what was its map still is. */
static bool stack_bounds(const struct thread *thread, uintptr_t *low, uintptr_t *high) {
    *low = thread->stack_low;
    *high = thread->stack_high;
    if (thread->tid == tasks_process()) {
        *low = main_stack.start;
        *high = main_stack.end;
    }
    return *low <= thread->stack_pointer && thread->stack_pointer < *high;
}

void roots_scan_own_stack(struct marker *marker, const struct thread *thread) {
    uintptr_t low, high;
    if (!stack_bounds(thread, &low, &high))
        return;
    if (thread->context)
        signal_registers((const void *)thread->context, scan_registers, marker);
    uintptr_t live = live_start(thread);
    scan_range(marker, live > low ? live : low, high, SCAN_STACK);
}
