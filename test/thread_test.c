/* The thread room: registering, and stopping threads of every kind. */
#include "suite.h"

#include "alloc/alloc.h"
#include "heap/layout.h"
#include "os/clock.h"
#include "os/options.h"
#include "os/tasks.h"
#include "thread/thread.h"
#include "thread/world.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long counters[256];
static volatile bool finish;

static void *count_up(void *argument) {
    volatile unsigned long *counter = argument;
    while (!finish)
        ++*counter;
    return NULL;
}

static void go_on(void) {
    thread_drop_gone();
    lock_give(&thread_registry_lock);
    world_thaw(thread_self);
}

/* Nanoseconds, for a busy machine. */
#define BUDGET 1000000000ll
#define PATIENCE 10000000000ll

/* Whoever stops the world is frozen. Here it does so on its own stack, which nobody scans. */
static bool stop_world(void) {
    world_freeze(thread_current(), NULL);
    lock_take(&thread_registry_lock);
    bool stopped = world_stop(BUDGET) == WORLD_STOPPED;
    if (!stopped)
        go_on();
    return stopped;
}

static void start_world(void) {
    world_start();
    go_on();
}

static void wait_until_counting(unsigned threads) {
    for (unsigned i = 0; i < threads; i++) {
        unsigned long before = counters[i];
        while (counters[i] == before)
            usleep(100);
    }
}

static void check_held_still(unsigned threads) {
    unsigned long before[256];
    memcpy(before, (const void *)counters, sizeof before);
    usleep(3000);
    for (unsigned i = 0; i < threads; i++)
        ck_assert_uint_eq(counters[i], before[i]);
}

START_TEST(every_thread_is_held_still_and_goes_on) {
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    ck_assert(heap_start());
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count_up, (void *)&counters[i]);
    for (int round = 0; round < 10; round++) {
        wait_until_counting(THREADS);
        ck_assert(stop_world());
        check_held_still(THREADS);
        start_world();
    }
    finish = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

static void *live_shortly(void *argument) {
    free_fast(alloc_fast(100));
    thread_leave();
    return argument;
}

static void *make_short_lives(void *argument) {
    while (!finish) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, live_shortly, NULL) == 0)
            pthread_join(thread, NULL);
    }
    return argument;
}

/* A thread that is taken off its processor while it starts or ends another one, or itself, has all
 * signals blocked; then the stop is given up, and tried again for some time, as a cycle does. */
static bool stop_world_soon(void) {
    long long end = clock_nanoseconds() + PATIENCE;
    while (!stop_world()) {
        if (clock_nanoseconds() > end)
            return false;
        usleep(1000);
    }
    return true;
}

START_TEST(threads_may_come_and_go) {
    pthread_t makers[4];
    ck_assert(heap_start());
    for (int i = 0; i < 4; i++)
        pthread_create(&makers[i], NULL, make_short_lives, NULL);
    for (int round = 0; round < 1000; round++) {
        ck_assert(stop_world_soon());
        start_world();
    }
    finish = true;
    for (int i = 0; i < 4; i++)
        pthread_join(makers[i], NULL);
}
END_TEST

static int count_in_clone(void *argument) {
    while (!finish)
        ++*(volatile unsigned long *)argument;
    syscall(SYS_exit, 0);
    return 0;
}

START_TEST(a_thread_made_by_raw_clone_is_found) {
    size_t bytes = 65536;
    char *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    ck_assert(heap_start());
    ck_assert_int_gt(clone(count_in_clone, stack + bytes, flags, (void *)&counters[0]), 0);
    wait_until_counting(1);
    for (int round = 0; round < 10; round++) {
        ck_assert(stop_world());
        check_held_still(1);
        start_world();
        wait_until_counting(1);
    }
    finish = true;
    while (tasks_count() > 1)
        usleep(100);
    ck_assert(stop_world());
    start_world();
}
END_TEST

/* Also libc's own two signals, which pthread_sigmask leaves out. */
static void *count_deaf(void *argument) {
    unsigned long all = ~0ul;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
    return count_up(argument);
}

static void *count_with_signals_blocked(void *argument) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    return count_up(argument);
}

START_TEST(a_thread_that_blocks_what_it_can_is_stopped) {
    pthread_t blocking;
    ck_assert(heap_start());
    pthread_create(&blocking, NULL, count_with_signals_blocked, (void *)&counters[0]);
    wait_until_counting(1);
    for (int i = 0; i < 3; i++) {
        ck_assert(stop_world());
        size_t before = counters[0];
        usleep(5000);
        ck_assert_uint_eq(counters[0], before);
        start_world();
        wait_until_counting(1);
    }
    finish = true;
    pthread_join(blocking, NULL);
}
END_TEST

START_TEST(a_deaf_thread_cancels_the_stop) {
    pthread_t deaf, other;
    ck_assert(heap_start());
    pthread_create(&deaf, NULL, count_deaf, (void *)&counters[0]);
    pthread_create(&other, NULL, count_up, (void *)&counters[1]);
    wait_until_counting(2);
    ck_assert(!stop_world());
    wait_until_counting(2);
    long long start = clock_nanoseconds();
    ck_assert(!stop_world());
    ck_assert_int_lt(clock_nanoseconds() - start, 15000000);
    wait_until_counting(2);
    finish = true;
    pthread_join(deaf, NULL);
    pthread_join(other, NULL);
    ck_assert(stop_world());
    start_world();
}
END_TEST

static void *stop_without_the_leader(void *argument) {
    usleep(20000);
    bool stopped = stop_world();
    if (stopped)
        start_world();
    _exit(stopped ? 42 : 1);
    return argument;
}

START_TEST(a_dead_main_thread_does_not_count) {
    int status;
    ck_assert(heap_start());
    if (fork() == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, stop_without_the_leader, NULL);
        pthread_exit(NULL);
    }
    wait(&status);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}
END_TEST

static void *allocate_and_leave(void *argument) {
    void **objects = argument;
    for (int i = 0; i < 100; i++)
        objects[i] = alloc_fast(64);
    for (int i = 0; i < 100; i++)
        free_fast(objects[i]);
    unsigned before = thread_count();
    thread_leave();
    ck_assert_uint_eq(thread_count(), before - 1);
    ck_assert_ptr_eq(thread_current(), &thread_left);
    void *late = alloc_fast(64);
    ck_assert_ptr_nonnull(late);
    free_fast(late);
    return NULL;
}

START_TEST(a_leaving_thread_gives_its_cache_back) {
    static void *objects[100];
    pthread_t thread;
    free_fast(alloc_fast(64));
    size_t live = AO_load(&heap.live);
    pthread_create(&thread, NULL, allocate_and_leave, objects);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(AO_load(&heap.live), live);
}
END_TEST

START_TEST(the_stop_signal_moves_out_of_the_way) {
    int first = world_signal();
    ck_assert_int_eq(first, SIGRTMAX - 1);
    signal(first, SIG_IGN);
    world_avoid_signal(first);
    ck_assert_int_eq(world_signal(), first - 1);
    ck_assert(!world_signal_installed());
    ck_assert(heap_start() && stop_world());
    start_world();
    ck_assert(world_signal_installed());
    world_avoid_signal(first - 1);
    ck_assert_int_eq(world_signal(), first - 1);
}
END_TEST

START_TEST(the_signal_stack_is_made_on_demand_only) {
    stack_t stack;
    free_fast(alloc_fast(64));
    sigaltstack(NULL, &stack);
    ck_assert_int_eq(stack.ss_flags, SS_DISABLE);
    thread_ensure_altstack();
    sigaltstack(NULL, &stack);
    ck_assert_int_eq(stack.ss_flags, 0);
    ck_assert_uint_eq((uintptr_t)stack.ss_sp, thread_self->altstack_low);
    thread_leave();
    sigaltstack(NULL, &stack);
    ck_assert_int_eq(stack.ss_flags, SS_DISABLE);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        every_thread_is_held_still_and_goes_on,      threads_may_come_and_go,
        a_thread_made_by_raw_clone_is_found,         a_deaf_thread_cancels_the_stop,
        a_thread_that_blocks_what_it_can_is_stopped, a_dead_main_thread_does_not_count,
        a_leaving_thread_gives_its_cache_back,       the_stop_signal_moves_out_of_the_way,
        the_signal_stack_is_made_on_demand_only,
    };
    return SUITE_RUN("thread", tests, 60);
}
