/* Where stacks are live, and reading them; see stacks.h. */
#include "roots/stacks.h"

#include "mark/scan.h"
#include "os/maps.h"
#include "os/registers.h"
#include "os/tasks.h"
#include "thread/thread.h"

enum { RED_ZONE = 128 /* below the stack pointer the ABI lets functions keep data */ };

static struct map main_stack; /* as it was last seen */

bool stack_is_there(const struct thread *thread) { return thread_state(thread) != THREAD_GONE; }

/* Only a thread that was interrupted may have something below its stack pointer; one that froze by
 * itself is in the middle of a call. */
uintptr_t stack_live_start(const struct thread *thread) {
    return thread->stack_pointer - (thread->context ? RED_ZONE : 0);
}

bool stacks_hold_pointer(uintptr_t start, uintptr_t end) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (stack_is_there(thread) && thread->stack_pointer - start < end - start)
            return true;
    return false;
}

bool stacks_overlap(uintptr_t start, uintptr_t end) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (stack_is_there(thread) && thread->stack_low < end && start < thread->stack_high)
            return true;
    return stacks_hold_pointer(start, end);
}

/* The main thread has no fixed bounds: its stack is the map, from its stack pointer up. */
uintptr_t stack_main_start(const struct map *map) {
    int process = tasks_process();
    main_stack = *map;
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->tid == process && stack_live_start(thread) >= map->start &&
            thread->stack_pointer < map->end)
            return stack_live_start(thread);
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

void roots_scan_own_stack(struct marker *marker, const struct thread *thread) {
    uintptr_t low, high;
    if (!stack_bounds(thread, &low, &high))
        return;
    if (thread->context)
        registers_visit((const void *)thread->context, scan_words, marker);
    scan_words(thread->segment_bases, sizeof thread->segment_bases, marker);
    uintptr_t live = stack_live_start(thread);
    scan_range(marker, live > low ? live : low, high, SCAN_STACK);
}
