/* Which stacks are whose, and when they die; see dead_stacks.h. All of it is under the registry's
 * lock, as the list of what is excluded from the roots.
 */
#include "leak/dead_stacks.h"

#include "leak/record.h"
#include "real.h"

#include "mark/roots.h"
#include "thread/thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <threads.h>
#include <time.h>

enum { MOST_STACKS = 256, MOST_DEAD = 64 };

struct range {
    uintptr_t start, end;
};

struct stack {
    pthread_t thread;
    uintptr_t low, high; /* 0: free */
};

static struct stack stacks[MOST_STACKS];
static struct range dead[MOST_DEAD];
static size_t dead_count;
static unsigned creations, in_creation;

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

void dead_stacks_begin(pthread_t thread, uintptr_t low, uintptr_t high) {
    if (!record_is_on() || thread - low >= high - low)
        return;
    lock_take(&thread_registry_lock);
    struct stack *stack = find(thread);
    if (stack == NULL)
        stack = find_free();
    if (stack)
        *stack = (struct stack){thread, low, high};
    lock_give(&thread_registry_lock);
}

static void revive(void) {
    while (dead_count > 0) {
        dead_count--;
        roots_include(dead[dead_count].start, dead[dead_count].end);
    }
}

void dead_stacks_before_create(void) {
    if (!record_is_on())
        return;
    lock_take(&thread_registry_lock);
    creations++;
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

static void bury(uintptr_t start, uintptr_t end) {
    if (dead_count < MOST_DEAD && roots_exclude(start, end))
        dead[dead_count++] = (struct range){start, end};
}

/* Of libc's record of the thread, which begins at its handle, only the second word still counts: it
 * leads to a table that the next thread will use. Elsewhere than on x86-64 the whole record does.
 */
static void bury_stack(const struct stack *stack) {
    bury(stack->low, stack->thread);
#if defined(__x86_64__)
    bury(stack->thread + 2 * sizeof(void *), stack->high);
#endif
}

/* Where a thread was made meanwhile, it may have got the stack. */
static void end(pthread_t thread, unsigned creations_before) {
    struct stack *stack;
    if (!record_is_on())
        return;
    lock_take(&thread_registry_lock);
    if ((stack = find(thread))) {
        if (creations == creations_before && in_creation == 0)
            bury_stack(stack);
        stack->high = 0;
    }
    lock_give(&thread_registry_lock);
}

/* Joins a thread in one of libc's ways. */
#define JOIN(thread, call)                                                                         \
    do {                                                                                           \
        unsigned before = creations;                                                               \
        int failure = call;                                                                        \
        if (failure == 0)                                                                          \
            end(thread, before);                                                                   \
        return failure;                                                                            \
    } while (0)

TITHE_EXPORT int pthread_join(pthread_t thread, void **result) {
    JOIN(thread, REAL(pthread_join)(thread, result));
}

TITHE_EXPORT int pthread_tryjoin_np(pthread_t thread, void **result) {
    JOIN(thread, REAL(pthread_tryjoin_np)(thread, result));
}

TITHE_EXPORT int pthread_timedjoin_np(pthread_t thread, void **result,
                                      const struct timespec *until) {
    JOIN(thread, REAL(pthread_timedjoin_np)(thread, result, until));
}

TITHE_EXPORT int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock,
                                      const struct timespec *until) {
    JOIN(thread, REAL(pthread_clockjoin_np)(thread, result, clock, until));
}

/* A thrd_t is a pthread_t, and success is 0. */
TITHE_EXPORT int thrd_join(thrd_t thread, int *result) {
    JOIN(thread, REAL(thrd_join)(thread, result));
}
