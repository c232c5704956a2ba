/* Walking the process's maps as roots; see roots.h.
 *
 * Before the walk, the parts of memory that are not plain memory are put into a sorted list: our
 * own regions and the dead part of each stack are passed over, the live part of each stack is
 * scanned as one. The walk then needs one look at the list a map, since both are in address order.
 */
#include "mark/roots.h"

#include "heap/metadata.h"
#include "os/maps.h"
#include "os/signal.h"
#include "os/tasks.h"
#include "thread/thread.h"

enum {
    RED_ZONE = 128, /* below the stack pointer the ABI lets functions keep data */
    COPY_BYTES = 65536,
    OWN_REGIONS = 4,
    RANGES_PER_THREAD = 2
};

struct range {
    uintptr_t start, end;
    bool skipped; /* else it is a stack */
};

static struct {
    struct range *ranges;
    size_t room, count, next;
    unsigned char *copy; /* COPY_BYTES */
    size_t bytes;
    struct marker *marker;
} plan;

size_t roots_bytes(void) { return plan.bytes; }

bool roots_prepare(unsigned threads) {
    size_t room = OWN_REGIONS + 2 * RANGES_PER_THREAD * (threads + 64);
    if (plan.copy == NULL)
        plan.copy = metadata_take(COPY_BYTES);
    if (plan.room < room) {
        plan.ranges = metadata_take(room * sizeof *plan.ranges);
        plan.room = plan.ranges ? room : 0;
    }
    return plan.copy && plan.ranges;
}

static void plan_add(uintptr_t start, uintptr_t end, bool skipped) {
    if (start < end && plan.count < plan.room)
        plan.ranges[plan.count++] = (struct range){start, end, skipped};
}

static void plan_add_region(uintptr_t start, uintptr_t end, void *context) {
    (void)context;
    plan_add(start, end, true);
}

/* When a thread is elsewhere, on a fibre or in a signal handler's stack, all of its own stack may
 * be live; the walk then takes it as plain memory. */
static void plan_add_stack(const struct thread *thread) {
    uintptr_t pointer = thread->stack_pointer;
    if (pointer < thread->stack_low || pointer >= thread->stack_high)
        return;
    uintptr_t live = pointer - RED_ZONE;
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

struct part {
    uintptr_t start, end;
    enum scan_mode mode;
};

/* Resident pages may stick out of the part at both ends. */
static void scan_pages(uintptr_t start, uintptr_t end, void *context) {
    const struct part *part = context;
    uintptr_t copy = (uintptr_t)plan.copy;
    if (start < part->start)
        start = part->start;
    if (end > part->end)
        end = part->end;
    while (start < end) {
        size_t want = end - start < COPY_BYTES ? end - start : COPY_BYTES;
        size_t got = maps_read(plan.copy, start, want);
        scan_range(plan.marker, copy, copy + got, part->mode);
        plan.bytes += got;
        start += got;
        if (got < want)
            start = (start & ~(uintptr_t)4095) + 4096;
    }
}

/* The copy starts at an aligned address, so the part must, too. */
static void scan_part(uintptr_t start, uintptr_t end, bool private_only, enum scan_mode mode) {
    struct part part = {start & ~(uintptr_t)7, end, mode};
    if (start < end)
        maps_resident(start, end, private_only, scan_pages, &part);
}

static bool holds_a_stack_pointer(const struct map *map) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (is_present(thread) && thread->stack_pointer - map->start < map->end - map->start)
            return true;
    return false;
}

static bool is_root(const struct map *map) {
    if (!map->readable || map->kind == MAP_KIND_OTHER)
        return false;
    return map->kind != MAP_KIND_FILE || !map->shared || map->writable;
}

/* The main thread has no fixed bounds: its stack is the map, from its stack pointer up. */
static uintptr_t main_stack_start(const struct map *map) {
    int process = tasks_process();
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->tid == process && thread->stack_pointer - RED_ZONE >= map->start &&
            thread->stack_pointer < map->end)
            return thread->stack_pointer - RED_ZONE;
    return map->start;
}

static enum scan_mode mode_of(const struct map *map) {
    if (map->executable && map->kind == MAP_KIND_MEMORY)
        return SCAN_CODE;
    return map->kind == MAP_KIND_MAIN_STACK || holds_a_stack_pointer(map) ? SCAN_STACK : SCAN_WORDS;
}

static void visit_map(const struct map *map, void *context) {
    (void)context;
    if (!is_root(map))
        return;
    bool private_only = map->kind == MAP_KIND_FILE && !map->shared;
    enum scan_mode mode = mode_of(map);
    uintptr_t at = map->kind == MAP_KIND_MAIN_STACK ? main_stack_start(map) : map->start;
    while (plan.next < plan.count && plan.ranges[plan.next].end <= at)
        plan.next++;
    for (size_t i = plan.next; i < plan.count && plan.ranges[i].start < map->end; i++) {
        const struct range *range = &plan.ranges[i];
        uintptr_t end = range->end < map->end ? range->end : map->end;
        scan_part(at, range->start, private_only, mode);
        uintptr_t start = range->start > at ? range->start : at;
        if (!range->skipped)
            scan_part(start, end, private_only, SCAN_STACK);
        if (end > at)
            at = end;
    }
    scan_part(at, map->end, private_only, mode);
}

bool roots_scan(struct marker *marker) {
    plan.count = plan.next = plan.bytes = 0;
    plan.marker = marker;
    heap_each_region(plan_add_region, NULL);
    for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
        if (!is_present(thread))
            continue;
        plan_add_stack(thread);
        scan_thread(marker, thread);
    }
    plan_sort();
    return maps_each(visit_map, NULL);
}
