/* Threads that take no signal for a while, because a debugger holds them, or the kernel: nobody
 * stands still for them, nothing of theirs is lost, and all is collected afterwards. Runs under
 * tithe. */
#include "suite.h"
#include "tithe.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 6, BYTES = 224, MOST_TRIES = 1000, GROWTH = 400 };

static volatile bool finish;
static volatile int ready, tids[THREADS];

static struct tithe_statistics statistics(void) {
    struct tithe_statistics now;
    tithe_get_statistics(&now, sizeof now);
    return now;
}

__attribute__((noinline)) static void lose_blocks(int count) {
    for (int i = 0; i < count; i++)
        memset(malloc(BYTES), 0xee, BYTES);
}

static bool is_whole(const unsigned char *block) {
    for (int i = 0; i < BYTES; i++)
        if (block[i] != 0x5a)
            return false;
    return malloc_usable_size((void *)block) >= BYTES;
}

static void *hold(void *argument) {
    volatile int *tid = argument;
    unsigned char *block = memset(malloc(BYTES), 0x5a, BYTES);
    *tid = syscall(SYS_gettid);
    __sync_fetch_and_add(&ready, 1);
    while (!finish)
        usleep(500);
    return is_whole(block) ? argument : NULL;
}

static void start(pthread_t *threads, int count) {
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hold, (void *)&tids[i]), 0);
    while (ready < count)
        usleep(100);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
}

static void join_whole(const pthread_t *threads, int count) {
    void *whole;
    finish = true;
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &whole), 0);
        ck_assert_msg(whole != NULL, "thread %d", i);
    }
}

/* What was out of reach may be late to be in reach again. */
static void collect_soon(void) {
    size_t before = statistics().collected;
    int tries = 0;
    lose_blocks(10000);
    while (!tithe_collect() && tries < MOST_TRIES)
        tries++;
    ck_assert_uint_gt(statistics().collected, before);
}

/* The first try may have found out by stopping the others, which counts as a stop. */
static void check_nobody_stands(void) {
    lose_blocks(10000);
    struct tithe_statistics before = statistics();
    ck_assert(!tithe_collect());
    struct tithe_statistics first = statistics();
    ck_assert_uint_ge(first.stop_total, first.stop_longest);
    ck_assert_uint_eq(first.cancelled, before.cancelled + 1);
    for (int i = 0; i < 3; i++)
        ck_assert(!tithe_collect());
    ck_assert_uint_eq(statistics().stop_total, first.stop_total);
    ck_assert_uint_eq(statistics().cycles, first.cycles);
}

/* A process that holds a thread until something is written to the pipe. */
static pid_t hold_in_debugger(int tid, int *let_go) {
    int told[2], wanted[2];
    char byte = 0;
    ck_assert_int_eq(pipe(told), 0);
    ck_assert_int_eq(pipe(wanted), 0);
    pid_t debugger = fork();
    if (debugger == 0) {
        bool held = ptrace(PTRACE_SEIZE, tid, 0, 0) == 0 &&
                    ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0 && waitpid(tid, NULL, __WALL) == tid;
        byte = held;
        _exit(write(told[1], &byte, 1) != 1 || read(wanted[0], &byte, 1) != 1 ||
              ptrace(PTRACE_DETACH, tid, 0, 0) != 0);
    }
    ck_assert_int_eq(read(told[0], &byte, 1), 1);
    *let_go = wanted[1];
    if (!byte)
        waitpid(debugger, NULL, 0);
    return byte ? debugger : 0;
}

START_TEST(a_thread_that_a_debugger_holds) {
    pthread_t threads[THREADS];
    int let_go, status;
    start(threads, THREADS);
    collect_soon();
    pid_t debugger = hold_in_debugger(tids[1], &let_go);
    if (debugger) {
        check_nobody_stands();
        ck_assert_int_eq(write(let_go, "", 1), 1);
        ck_assert_int_eq(waitpid(debugger, &status, 0), debugger);
        ck_assert_int_eq(status, 0);
    }
    collect_soon();
    join_whole(threads, THREADS);
}
END_TEST

/* The child shares the memory, and stays for as long as nothing is written to the pipe. */
static int wanted[2];
static void *stand_in_vfork(void *argument) {
    volatile int *tid = argument;
    unsigned char *block = memset(malloc(BYTES), 0x5a, BYTES);
    char byte;
    *tid = syscall(SYS_gettid);
    pid_t child = vfork();
    if (child == 0) {
        ready++;
        _exit(read(wanted[0], &byte, 1) != 1);
    }
    waitpid(child, NULL, 0);
    return is_whole(block) ? argument : NULL;
}

START_TEST(a_thread_that_waits_for_its_vfork) {
    pthread_t thread;
    void *whole;
    ck_assert_int_eq(pipe(wanted), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, stand_in_vfork, (void *)&tids[0]), 0);
    while (ready < 1)
        usleep(100);
    check_nobody_stands();
    ck_assert_int_eq(write(wanted[1], "", 1), 1);
    pthread_join(thread, &whole);
    ck_assert_ptr_nonnull(whole);
    collect_soon();
}
END_TEST

/* Allocating is not held up by debt that cannot be paid off: the heap grows. */
START_TEST(the_heap_grows_meanwhile) {
    pthread_t threads[2];
    int let_go, status;
    static void *kept[GROWTH];
    start(threads, 2);
    pid_t debugger = hold_in_debugger(tids[0], &let_go);
    if (debugger) {
        for (int i = 0; i < GROWTH; i++)
            kept[i] = memset(malloc(1 << 20), i, 1 << 20);
        ck_assert_uint_eq(statistics().cycles, 0);
        ck_assert_uint_ge(statistics().live, (size_t)GROWTH << 20);
        ck_assert_int_eq(write(let_go, "", 1), 1);
        ck_assert_int_eq(waitpid(debugger, &status, 0), debugger);
    }
    memset(kept, 0, sizeof kept);
    collect_soon();
    join_whole(threads, 2);
}
END_TEST

/* As strace does: each thread stops at each system call and signal, and is let go at once. */
static void trace(const volatile int *threads, int told) {
    int status, tid;
    char byte = 1;
    for (int i = 0; i < THREADS; i++)
        if (ptrace(PTRACE_SEIZE, threads[i], 0, PTRACE_O_TRACESYSGOOD) != 0 ||
            ptrace(PTRACE_INTERRUPT, threads[i], 0, 0) != 0)
            byte = 0;
    if (write(told, &byte, 1) != 1)
        _exit(1);
    while ((tid = waitpid(-1, &status, __WALL)) > 0) {
        int signal = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
        bool is_event = status >> 16 || signal == (SIGTRAP | 0x80);
        ptrace(PTRACE_SYSCALL, tid, 0, is_event ? 0 : signal);
    }
    _exit(0);
}

START_TEST(threads_that_are_traced) {
    pthread_t threads[THREADS];
    int told[2], status;
    char byte = 0;
    start(threads, THREADS);
    ck_assert_int_eq(pipe(told), 0);
    pid_t tracer = fork();
    if (tracer == 0)
        trace(tids, told[1]);
    ck_assert_int_eq(read(told[0], &byte, 1), 1);
    for (int i = 0; i < 30 && byte; i++)
        collect_soon();
    join_whole(threads, THREADS);
    ck_assert_int_eq(waitpid(tracer, &status, 0), tracer);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_thread_that_a_debugger_holds,
        a_thread_that_waits_for_its_vfork,
        the_heap_grows_meanwhile,
        threads_that_are_traced,
    };
    return SUITE_RUN("reach", tests, 60);
}
