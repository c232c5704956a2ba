/* Where stacks are live, and reading them; see stacks.h. */
#include "roots/stacks.h"

#include "heap/metadata.h"
#include "mark/scan.h"
#include "os/maps.h"
#include "os/registers.h"
#include "os/tasks.h"
#include "roots/roots.h"
#include "roots/sorting.h"
#include "thread/thread.h"

enum {
    RED_ZONE = 128, /* below the stack pointer the ABI lets functions keep data */
    NEW_THREADS = 64
};

/* Bounds in the order of their lower ends; the higher one is that of any so far. */
struct bounds {
    uintptr_t low, highest;
};

static struct map main_stack; /* as it was last seen */

/* As they were when they were last looked for: stack pointers, in order, bounds, and the main
 * thread's. */
static uintptr_t *pointers;
static struct bounds *bounds;
static size_t room, pointer_count, bounds_count;
static bool is_overfull; /* threads came in the stop for which there was no room: any map may be
                            the stack of one */
static const struct thread *main_thread;

bool stack_is_there(const struct thread *thread) { return thread_state(thread) != THREAD_GONE; }

/* Only a thread that was interrupted may have something below its stack pointer; one that froze by
 * itself is in the middle of a call. */
uintptr_t stack_live_start(const struct thread *thread) {
    return thread->stack_pointer - (thread->context ? RED_ZONE : 0);
}

/* The lists grow by doubling; what they outgrow is not used again. */
bool stacks_make_room(unsigned threads) {
    size_t needed = threads + NEW_THREADS;
    if (room >= needed)
        return true;
    pointers = metadata_take(2 * needed * sizeof *pointers);
    bounds = metadata_take(2 * needed * sizeof *bounds);
    room = pointers && bounds ? 2 * needed : 0;
    return room > 0;
}

static bool is_lower(const void *one, const void *other) {
    return *(const uintptr_t *)one < *(const uintptr_t *)other;
}

static void note(const struct thread *thread) {
    if (pointer_count == room) {
        is_overfull = true;
        return;
    }
    pointers[pointer_count++] = thread->stack_pointer;
    if (thread->stack_low < thread->stack_high)
        bounds[bounds_count++] = (struct bounds){thread->stack_low, thread->stack_high};
}

static void sort_all(void) {
    sort_in_place(pointers, pointer_count, sizeof *pointers, is_lower);
    sort_in_place(bounds, bounds_count, sizeof *bounds, is_lower);
    for (size_t i = 1; i < bounds_count; i++)
        if (bounds[i].highest < bounds[i - 1].highest)
            bounds[i].highest = bounds[i - 1].highest;
}

void stacks_find(void) {
    int process = tasks_process();
    pointer_count = bounds_count = 0;
    is_overfull = false;
    main_thread = NULL;
    for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
        if (thread->tid == process)
            main_thread = thread;
        if (stack_is_there(thread))
            note(thread);
    }
    sort_all();
}

/* How many elements, which begin with an address, lie below one. */
static size_t count_below(const void *list, size_t count, size_t bytes, uintptr_t address) {
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (*(const uintptr_t *)((const char *)list + middle * bytes) < address)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

bool stacks_hold_pointer(uintptr_t start, uintptr_t end) {
    size_t below = count_below(pointers, pointer_count, sizeof *pointers, start);
    return is_overfull || (below < pointer_count && pointers[below] < end);
}

bool stacks_each_pointer(uintptr_t start, uintptr_t end,
                         void (*visit)(uintptr_t pointer, void *context), void *context) {
    size_t i = count_below(pointers, pointer_count, sizeof *pointers, start);
    for (; i < pointer_count && pointers[i] < end; i++)
        visit(pointers[i], context);
    return !is_overfull;
}

bool stacks_overlap(uintptr_t start, uintptr_t end) {
    size_t below = count_below(bounds, bounds_count, sizeof *bounds, end);
    return (below > 0 && bounds[below - 1].highest > start) || stacks_hold_pointer(start, end);
}

/* The main thread has no fixed bounds: its stack is the map, from its stack pointer up. */
uintptr_t stack_main_start(const struct map *map) {
    main_stack = *map;
    if (main_thread && stack_live_start(main_thread) >= map->start &&
        main_thread->stack_pointer < map->end)
        return stack_live_start(main_thread);
    return map->start;
}

static void scan_words(const void *start, size_t bytes, void *marker) {
    scan_range(marker, (uintptr_t)start, (uintptr_t)start + bytes, SCAN_STACK);
}

/* Besides its registers, the stack pointer itself: a fibre's stack may be an object. */
void stack_scan_registers(struct marker *marker, const struct thread *thread) {
    uintptr_t pointer = thread->stack_pointer;
    if (thread->context)
        registers_visit((const void *)thread->context, scan_words, marker);
    scan_words(&pointer, sizeof pointer, marker);
    scan_words(thread->segment_bases, sizeof thread->segment_bases, marker);
    if (pointer >= thread->altstack_low && pointer < thread->altstack_high)
        scan_range(marker, pointer, thread->altstack_high, SCAN_STACK);
}

/* The main thread's stack only grows, so what was its map still is. */
static bool stack_bounds(const struct thread *thread, uintptr_t *low, uintptr_t *high) {
    *low = thread->stack_low;
    *high = thread->stack_high;
    if (thread->tid == tasks_process()) {
        *low = main_stack.start;
        *high = main_stack.end;
    }
    return *low <= thread->stack_pointer && thread->stack_pointer < *high;
}

/* A program may close pages of its stack, as guards of fibres that it runs there. What cannot be
 * read now is seen to in the stop. */
void roots_scan_own_stack(struct marker *marker, const struct thread *thread) {
    uintptr_t low, high;
    if (!stack_bounds(thread, &low, &high))
        return;
    if (thread->context)
        registers_visit((const void *)thread->context, scan_words, marker);
    scan_words(thread->segment_bases, sizeof thread->segment_bases, marker);
    uintptr_t live = stack_live_start(thread);
    live = live > low ? live : low;
    if (roots_follow_libgc())
        scan_range(marker, live, high, SCAN_STACK);
    else
        scan_foreign(marker, live, high, SCAN_STACK);
}
