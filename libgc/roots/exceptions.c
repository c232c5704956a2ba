/* The list, sorted; see exceptions.h. */
#include "roots/exceptions.h"

#include "heap/closed.h"
#include "heap/layout.h"
#include "heap/metadata.h"
#include "roots/ranges.h"
#include "roots/sorting.h"
#include "roots/stacks.h"
#include "thread/thread.h"

#include <stddef.h>

enum { OWN_REGIONS = 4, PER_THREAD = 2, NEW_THREADS = 64 };

static struct exception *list;
static size_t room, count;

/* The list grows by doubling; what it outgrows is not used again. */
bool exceptions_make_room(unsigned threads) {
    size_t needed =
        OWN_REGIONS + closed_replaced_count() + ranges_excluded.count + ranges_disregarded.count;
    needed += PER_THREAD * (threads + NEW_THREADS);
    if (room >= needed)
        return true;
    list = metadata_take(2 * needed * sizeof *list);
    room = list ? 2 * needed : 0;
    return list != NULL;
}

static void add(uintptr_t start, uintptr_t end, bool skipped) {
    if (start < end && count < room)
        list[count++] = (struct exception){start, end, skipped};
}

static void add_own(uintptr_t start, uintptr_t end, void *context) {
    (void)context;
    add(start, end, true);
}

/* What the program mapped over a part of the heap is memory like any other. */
static void add_region(uintptr_t start, uintptr_t end, void *context) {
    if (start == heap.objects.start)
        closed_each_own(start, end, add_own, context);
    else
        add_own(start, end, context);
}

/* When a stopped thread is elsewhere, on a fibre or in a signal handler's stack, all of its own
 * stack may be live; the walk then takes it as plain memory. Where a running one is nobody knows.
 */
static void add_stack(const struct thread *thread, bool stopped) {
    uintptr_t pointer = thread->stack_pointer;
    if (!stopped) {
        add(thread->stack_low, thread->stack_high, true);
        return;
    }
    if (pointer < thread->stack_low || pointer >= thread->stack_high)
        return;
    uintptr_t live = stack_live_start(thread);
    if (live < thread->stack_low)
        live = thread->stack_low;
    add(thread->stack_low, live, true);
    add(live, thread->stack_high, false);
}

/* A range that was told as dead may be somebody's stack again. */
static void add_told(void) {
    const struct range *excluded = ranges_of(&ranges_excluded);
    const struct range *disregarded = ranges_of(&ranges_disregarded);
    for (size_t i = 0; i < ranges_excluded.count; i++)
        if (!stacks_hold_pointer(excluded[i].start, excluded[i].end))
            add(excluded[i].start, excluded[i].end, true);
    for (size_t i = 0; i < ranges_disregarded.count; i++)
        add(disregarded[i].start, disregarded[i].end, true);
}

/* Of those that begin together, what is to be passed over comes first. */
static bool comes_before(const void *one, const void *other) {
    const struct exception *a = one, *b = other;
    return a->start != b->start ? a->start < b->start : a->skipped && !b->skipped;
}

/* Where some overlap, the first one counts; then their ends are in order, too. */
static void part_from_each_other(void) {
    size_t kept = 0;
    uintptr_t end = 0;
    for (size_t i = 0; i < count; i++) {
        struct exception exception = list[i];
        if (exception.start < end)
            exception.start = end;
        if (exception.start >= exception.end)
            continue;
        end = exception.end;
        list[kept++] = exception;
    }
    count = kept;
}

void exceptions_find(bool stopped) {
    count = 0;
    heap_each_region(add_region, NULL);
    add_told();
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (stack_is_there(thread))
            add_stack(thread, stopped);
    sort_in_place(list, count, sizeof *list, comes_before);
    part_from_each_other();
}

static const struct exception *at(size_t index, uintptr_t end) {
    return index < count && list[index].start < end ? &list[index] : NULL;
}

const struct exception *exceptions_behind(uintptr_t start, uintptr_t end) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle].end <= start)
            low = middle + 1;
        else
            high = middle;
    }
    return at(low, end);
}

const struct exception *exceptions_next(const struct exception *exception, uintptr_t end) {
    return at(exception - list + 1, end);
}
