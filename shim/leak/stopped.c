/* Bounds, live and dead parts; see stopped.h. */
#include "leak/stopped.h"

#include "os/maps.h"
#include "os/registers.h"
#include "os/resident.h"
#include "os/tasks.h"
#include "roots/stacks.h"
#include "thread/thread.h"

static uintptr_t main_low,
    main_high; /* the main thread's stack, as the last walk over the maps saw it */

void stopped_note_map(const struct map *map) {
    if (map->kind != MAP_KIND_MAIN_STACK)
        return;
    main_low = map->start;
    main_high = map->end;
}

bool stopped_is_in_main_stack(uintptr_t address) {
    return address - main_low < main_high - main_low;
}

/* The bounds of a thread's own stack. The main thread has no fixed ones. */
static void stack_of(const struct thread *thread, uintptr_t *low, uintptr_t *high) {
    bool is_main = thread->tid == tasks_process() && main_high > 0;
    *low = is_main ? main_low : thread->stack_low;
    *high = is_main ? main_high : thread->stack_high;
}

bool stopped_next_stack(uintptr_t at, uintptr_t end, uintptr_t *low, uintptr_t *high) {
    bool found = false;
    for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
        uintptr_t start, limit;
        stack_of(thread, &start, &limit);
        if (start < end && at < limit && (!found || start < *low)) {
            found = true;
            *low = start;
            *high = limit;
        }
    }
    return found;
}

static bool is_stopped(const struct thread *thread) {
    return stack_is_there(thread) && thread_state(thread) != THREAD_COLLECTS;
}

/* What of its own stack a thread uses, from low on. All of it may be in use while it is elsewhere.
 */
static uintptr_t live_start(const struct thread *thread, uintptr_t low, uintptr_t high) {
    uintptr_t pointer = thread->stack_pointer;
    if (pointer < low || pointer >= high)
        return low;
    uintptr_t live = stack_live_start(thread);
    return live > low ? live & ~(uintptr_t)7 : low;
}

/* Runs are whole pages. */
struct part {
    uintptr_t start, end;
    void (*scan)(uintptr_t start, uintptr_t end, void *context);
};

static void scan_part(uintptr_t start, uintptr_t end, void *context) {
    const struct part *part = context;
    start = start > part->start ? start : part->start;
    end = end < part->end ? end : part->end;
    if (start < end)
        part->scan(start, end, NULL);
}

static void scan_resident(struct part part) {
    if (part.start < part.end)
        resident_each(part.start, part.end, false, scan_part, &part);
}

void stopped_each_live(stopped_visit *visit) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
        uintptr_t low, high;
        if (!is_stopped(thread))
            continue;
        stack_of(thread, &low, &high);
        scan_resident((struct part){live_start(thread, low, high), high, visit});
    }
}

void stopped_each_dead(stopped_visit *visit) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
        uintptr_t low, high;
        if (!is_stopped(thread))
            continue;
        stack_of(thread, &low, &high);
        scan_resident((struct part){low, live_start(thread, low, high), visit});
    }
}

void stopped_each_register(void (*visit)(const void *start, size_t bytes, void *context)) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (is_stopped(thread) && thread->context)
            registers_visit((const void *)thread->context, visit, NULL);
}

struct wanted_register {
    uintptr_t address;
    bool found;
};

static void compare_registers(const void *start, size_t bytes, void *context) {
    struct wanted_register *wanted = context;
    wanted->found |= wanted->address - (uintptr_t)start < bytes;
}

/* The thread in whose saved registers the address lies, if any. */
const struct thread *stopped_thread_with_register(uintptr_t address) {
    struct wanted_register wanted = {address, false};
    for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
        if (is_stopped(thread) && thread->context)
            registers_visit((const void *)thread->context, compare_registers, &wanted);
        if (wanted.found)
            return thread;
    }
    return NULL;
}
