/* Threads: their stacks' bounds when they start, their leaving when they end; see threads.h.
 *
 * pthread_create is wrapped to learn the bounds of the new stack, so that its dead part is no root.
 * A thread made in another way registers at its first allocation and has its whole stack scanned.
 * Leaving hangs on thread-specific data and waits for the last round of destructors, since earlier
 * ones may still free; after it the thread is served without a cache.
 */
#include "threads.h"

#include "altstack.h"
#include "leak/dead_stacks.h"
#include "real.h"

#include "alloc/alloc.h"
#include "heap/shape.h"
#include "thread/thread.h"
#include "thread/world.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <threads.h>

enum { WIPED_BYTES = 16384 };

static pthread_key_t leave_key;
static bool has_key;
static __thread char leave_rounds __attribute__((tls_model("initial-exec")));

/* The dead stack stays mapped and is read like any memory: glibc keeps it for the next thread. What
 * this thread's frames left in it must not count. Beyond this depth glibc drops the pages itself.
 */
__attribute__((noinline)) static void wipe_stack(void) {
    volatile char frames[WIPED_BYTES];
    for (size_t i = 0; i < sizeof frames; i += sizeof(uint64_t))
        *(volatile uint64_t *)&frames[i] = 0;
}

static bool has_room_below(const struct thread *thread) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return here < thread->stack_high && here > thread->stack_low + 2 * WIPED_BYTES;
}

static void leave(void *thread) {
    if (++leave_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(leave_key, thread);
        return;
    }
    bool wipe = has_room_below(thread_self), lets_go = thread_self->program_altstack;
    thread_leave();
    if (lets_go)
        altstack_is_let_go();
    if (wipe)
        wipe_stack();
}

/* A thread may be born with the stop signal blocked: glibc's own helpers are, and what inherited
 * its mask over exec. */
static void arrange_leave(void) {
    world_admit();
    if (has_key)
        pthread_setspecific(leave_key, thread_self);
}

void threads_start(void) {
    has_key = pthread_key_create(&leave_key, leave) == 0;
    thread_registered_hook = arrange_leave;
    if (thread_current()->has_cache)
        arrange_leave();
}

struct start {
    void *(*function)(void *); /* or NULL */
    thrd_start_t c_function;
    void *argument;
    bool stack_from_libc;
};

/* libc remembers the thread's argument for as long as the thread lives, and longer: its address
 * must not become that of a block of the program's, which nobody could lose then. So it is of
 * another kind than those. */
static struct start *start_make(void) {
    struct object object;
    struct start *start = alloc_slow(sizeof *start, OBJECT_SHAPED);
    if (start && object_find((uintptr_t)start, &object))
        object_set_shape(object, SHAPE_CAUTIOUS);
    return start;
}

static void tell_stack(bool from_libc) {
    pthread_attr_t attributes;
    void *low;
    size_t bytes;
    if (thread_has_ended_stops() || pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &low, &bytes) == 0)
        thread_set_stack((uintptr_t)low, (uintptr_t)low + bytes);
    if (from_libc)
        dead_stacks_begin(pthread_self(), (uintptr_t)low, (uintptr_t)low + bytes);
    pthread_attr_destroy(&attributes);
}

void threads_return(void) {
    if (thread_self != &thread_left)
        return;
    thread_return();
    tell_stack(false);
}

static void *thread_main(void *argument) {
    struct start start = *(struct start *)argument;
    free_fast(argument);
    tell_stack(start.stack_from_libc);
    return start.function(start.argument);
}

static int c_thread_main(void *argument) {
    struct start start = *(struct start *)argument;
    free_fast(argument);
    tell_stack(start.stack_from_libc);
    return start.c_function(start.argument);
}

/* Without a stack of the program's, its end is told as the end of all memory. */
static bool is_stack_from_libc(const pthread_attr_t *attributes) {
    void *low;
    size_t bytes;
    return attributes == NULL || pthread_attr_getstack(attributes, &low, &bytes) != 0 ||
           (uintptr_t)low + bytes == 0;
}

static volatile bool made; /* set by any thread before it makes another one, never cleared */

bool threads_were_made(void) { return made; }

TITHE_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                void *(*function)(void *), void *argument) {
    struct start *start = start_make();
    if (start == NULL)
        return EAGAIN;
    *start = (struct start){function, NULL, argument, is_stack_from_libc(attributes)};
    made = true;
    dead_stacks_before_create();
    int failure = REAL(pthread_create)(thread, attributes, thread_main, start);
    dead_stacks_after_create();
    if (failure)
        free_fast(start);
    return failure;
}

/* C's own threads, which libc makes without our pthread_create. */
TITHE_EXPORT int thrd_create(thrd_t *thread, thrd_start_t function, void *argument) {
    struct start *start = start_make();
    if (start == NULL)
        return thrd_nomem;
    *start = (struct start){NULL, function, argument, true};
    made = true;
    dead_stacks_before_create();
    int result = REAL(thrd_create)(thread, c_thread_main, start);
    dead_stacks_after_create();
    if (result != thrd_success)
        free_fast(start);
    return result;
}
