/* Which stacks are whose, and when they die; see dead_stacks.h. All of it is under the registry's
 * lock, as the list of what is excluded from the roots.
 *
 * libc's record of a thread lies at its handle, at the upper end of the stack. The kernel clears
 * the thread's id there when it has ended, and a join makes it negative; where that is, and by what
 * a record is recognised, is looked up in the records themselves.
 */
#include "leak/dead_stacks.h"

#include "leak/record.h"

#include "mark/scan.h"
#include "os/maps.h"
#include "os/memory.h"
#include "os/tasks.h"
#include "roots/ranges.h"
#include "thread/thread.h"

#include <stdbool.h>
#include <stddef.h>

enum { MOST_STACKS = 1024, RECORD_MOST = 2048, TABLE_WORD = 8 };

struct stack {
    pthread_t thread;
    uintptr_t low, high; /* 0: free */
    bool dead;           /* excluded */
};

static struct stack stacks[MOST_STACKS];
static unsigned in_creation;
static size_t id_offset, own_offset; /* of the thread's id, of a word that holds its own address or
                                        the record's; 0 and SIZE_MAX while not known */

static struct stack *find(pthread_t thread) {
    for (size_t i = 0; i < MOST_STACKS; i++)
        if (stacks[i].high && stacks[i].thread == thread)
            return &stacks[i];
    return NULL;
}

static struct stack *find_free(void) {
    for (size_t i = 0; i < MOST_STACKS; i++)
        if (stacks[i].high == 0)
            return &stacks[i];
    return NULL;
}

/* By the thread itself. */
static void learn_offsets(uintptr_t record, uintptr_t high) {
    size_t bytes = high - record < RECORD_MOST ? high - record : RECORD_MOST;
    int id = tasks_self();
    own_offset = SIZE_MAX;
    for (size_t at = 0; at + sizeof record <= bytes && own_offset == SIZE_MAX;
         at += sizeof record) {
        uintptr_t word = *(const volatile uintptr_t *)(record + at);
        if (word == record || word == record + at)
            own_offset = at;
    }
    for (size_t at = 0; at + sizeof id <= bytes && id_offset == 0; at += sizeof id)
        if (*(const volatile int *)(record + at) == id)
            id_offset = at;
}

void dead_stacks_begin(pthread_t thread, uintptr_t low, uintptr_t high) {
    if (!record_is_on() || thread - low >= high - low)
        return;
    lock_take(&thread_registry_lock);
    if (id_offset == 0)
        learn_offsets(thread, high);
    struct stack *stack = find(thread);
    if (stack == NULL)
        stack = find_free();
    if (stack)
        *stack = (struct stack){thread, low, high, false};
    lock_give(&thread_registry_lock);
}

/* Only on x86-64 is it known where in its record a thread has its table, so elsewhere all of the
 * record stays a root. */
static uintptr_t dead_end(const struct stack *stack) {
#if defined(__x86_64__)
    return stack->high;
#else
    return stack->thread;
#endif
}

static void revive(void) {
    for (size_t i = 0; i < MOST_STACKS; i++) {
        if (stacks[i].dead)
            roots_include(stacks[i].low, dead_end(&stacks[i]));
        stacks[i].dead = false;
    }
}

void dead_stacks_before_create(void) {
    if (!record_is_on())
        return;
    lock_take(&thread_registry_lock);
    in_creation++;
    revive();
    lock_give(&thread_registry_lock);
}

void dead_stacks_after_create(void) {
    if (!record_is_on())
        return;
    lock_take(&thread_registry_lock);
    in_creation--;
    lock_give(&thread_registry_lock);
}

void dead_stacks_after_fork(void) {
    in_creation = 0;
    revive();
}

enum life { LIVES, ENDED, UNMAPPED };

/* libc may have given the memory back, and somebody else may have it. */
static enum life life_of(const struct stack *stack) {
    uintptr_t own;
    int id;
    if (memory_read(&own, stack->thread + own_offset, sizeof own) != sizeof own ||
        (own != stack->thread && own != stack->thread + own_offset) ||
        memory_read(&id, stack->thread + id_offset, sizeof id) != sizeof id)
        return UNMAPPED;
    return id <= 0 ? ENDED : LIVES;
}

static void bury_main_stack(const struct map *map, void *context) {
    extern void *__libc_stack_end;
    uintptr_t end = (uintptr_t)__libc_stack_end;
    bool *buried = context;
    if (map->kind == MAP_KIND_MAIN_STACK && map->start < end && end <= map->end)
        *buried = roots_exclude(map->start, end);
}

/* A process may go on when its first thread has ended. What lies at and above the first frame is
 * the process's: arguments, environment. */
static void bury_main(void) {
    static bool buried;
    if (!buried && tasks_state(tasks_process()) == 'Z')
        maps_each(bury_main_stack, &buried);
}

void dead_stacks_bury(void) {
    lock_take(&thread_registry_lock);
    bury_main();
    bool known = in_creation == 0 && id_offset > 0 && own_offset != SIZE_MAX;
    for (size_t i = 0; i < MOST_STACKS && known; i++) {
        struct stack *stack = &stacks[i];
        enum life life = stack->high ? life_of(stack) : LIVES;
        if (stack->dead && life != ENDED) {
            roots_include(stack->low, dead_end(stack));
            stack->dead = false;
        }
        if (life == UNMAPPED)
            stack->high = 0;
        else if (life == ENDED && !stack->dead)
            stack->dead = roots_exclude(stack->low, dead_end(stack));
    }
    lock_give(&thread_registry_lock);
}

static void keep(uintptr_t address, struct marker *marker) {
    struct object object;
    if (object_find(address, &object))
        scan_keep_unread(marker, object);
}

/* The table, and what each of its words leads to. */
static void keep_table(uintptr_t table, struct marker *marker) {
    struct object object;
    if (!object_find(table, &object))
        return;
    uintptr_t start = object_address(object), end = start + object.span->object_bytes;
    scan_keep_unread(marker, object);
    for (uintptr_t at = start; at < end; at += sizeof(uintptr_t))
        keep(*(const uintptr_t *)at, marker);
}

void dead_stacks_keep_tables(struct marker *marker) {
    for (size_t i = 0; i < MOST_STACKS; i++) {
        uintptr_t table;
        if (stacks[i].dead && dead_end(&stacks[i]) == stacks[i].high &&
            memory_read(&table, stacks[i].thread + TABLE_WORD, sizeof table) == sizeof table)
            keep_table(table, marker);
    }
}
