/* Collections while the kernel has no room to queue a signal: because the limit is 0, or because
 * the program's own signals wait. Runs under tithe. */
#include "suite.h"
#include "tithe.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NUMBER (SIGRTMAX - 1)

enum { THREADS = 6, BYTES = 224, EXECS = 40, SOME_WAITING = 20 };

static volatile bool finish;
static volatile int ready, calls, broken;

static size_t collected(void) {
    struct tithe_statistics statistics;
    tithe_get_statistics(&statistics, sizeof statistics);
    return statistics.collected;
}

static void allow(rlim_t waiting) {
    struct rlimit limit;
    getrlimit(RLIMIT_SIGPENDING, &limit);
    limit.rlim_cur = waiting;
    ck_assert_int_eq(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
}

/* Signals that wait for ever, until the kernel takes no more. */
static void fill_queue(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    allow(SOME_WAITING);
    while (sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 0}) == 0)
        continue;
    ck_assert_int_eq(errno, EAGAIN);
}

__attribute__((noinline)) static void lose_blocks(void) {
    for (int i = 0; i < 20000; i++)
        memset(malloc(BYTES), 0xee, BYTES);
}

static bool is_whole(const unsigned char *block) {
    for (int i = 0; i < BYTES; i++)
        if (block[i] != 0x5a)
            return false;
    return malloc_usable_size((void *)block) >= BYTES;
}

/* Has the only pointer to a block, computes, and looks at the block at the end. */
static void *hold_and_count(void *argument) {
    unsigned char *block = memset(malloc(BYTES), 0x5a, BYTES);
    __sync_fetch_and_add(&ready, 1);
    while (!finish)
        __asm__ volatile("" : "+r"(block)::"memory");
    return is_whole(block) ? argument : NULL;
}

static void *hold_and_wait(void *argument) {
    unsigned char *block = memset(malloc(BYTES), 0x5a, BYTES);
    struct timespec nap = {0, 3000000};
    __sync_fetch_and_add(&ready, 1);
    while (!finish) {
        if (poll(NULL, 0, 3) != 0 || clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL) != 0)
            broken = 1;
    }
    return is_whole(block) ? argument : NULL;
}

static void check_threads(void (*collecting)(void)) {
    pthread_t threads[THREADS];
    void *whole;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, i % 2 ? hold_and_wait : hold_and_count,
                                        (void *)&ready),
                         0);
    while (ready < THREADS)
        usleep(100);
    for (int i = 0; i < 30; i++)
        collecting();
    finish = true;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &whole);
        ck_assert_msg(whole != NULL, "thread %d", i);
    }
    ck_assert_int_eq(broken, 0);
}

static void collect(void) {
    size_t before = collected();
    lose_blocks();
    ck_assert(tithe_collect());
    ck_assert_uint_gt(collected(), before);
}

START_TEST(nothing_can_be_queued_from_the_start) {
    allow(0);
    check_threads(collect);
}
END_TEST

START_TEST(the_queue_fills_while_the_program_runs) {
    collect();
    fill_queue();
    check_threads(collect);
}
END_TEST

/* What is there one moment is taken the next. */
static void collect_while_room_comes_and_goes(void) {
    static unsigned i;
    allow(++i % 4 * 2);
    collect();
}

START_TEST(there_is_room_for_some_of_the_signals) {
    check_threads(collect_while_room_comes_and_goes);
}
END_TEST

static void *collect_always(void *argument) {
    while (!finish)
        if (!tithe_collect())
            broken = 1;
    return argument;
}

/* A signal that waited for the process would wait for the next program, and end it. */
static void become_another_program(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, collect_always, NULL);
    usleep(2000);
    execl("/bin/true", "true", NULL);
    _exit(1);
}

START_TEST(the_next_program_gets_none) {
    allow(0);
    for (int i = 0; i < EXECS; i++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            become_another_program();
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
}
END_TEST

static void count(int number) {
    (void)number;
    calls++;
}

/* Between two collections there is none of ours for it to be one with. */
START_TEST(what_the_program_sends_arrives) {
    pthread_t other;
    ck_assert_int_eq(pthread_create(&other, NULL, hold_and_wait, NULL), 0);
    allow(0);
    collect();
    ck_assert_ptr_ne(signal(NUMBER, count), SIG_ERR);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(kill(getpid(), NUMBER), 0);
        while (calls <= i)
            usleep(100);
        ck_assert_int_eq(calls, i + 1);
        collect();
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        nothing_can_be_queued_from_the_start,  the_queue_fills_while_the_program_runs,
        there_is_room_for_some_of_the_signals, the_next_program_gets_none,
        what_the_program_sends_arrives,
    };
    return SUITE_RUN("full queue", tests, 60);
}
