/* fork in a program that was preloaded: handlers run at any moment, other threads use streams, and
 * nobody waits for ever; the child has the mask and the streams that it would have. */
#include "suite.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 300 };

static void allocate(int number) {
    void *blocks[BLOCKS];
    (void)number;
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(64 + i * 16);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
}

static void await_child(pid_t child) {
    int status;
    ck_assert_int_gt(child, 0);
    while (waitpid(child, &status, 0) < 0)
        continue;
    ck_assert_int_eq(status, 0);
}

static void fork_and_wait(int times) {
    for (int i = 0; i < times; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        await_child(child);
    }
}

/* A child may have been born with a signal that waits; it takes it and goes on. */
START_TEST(handler_that_allocates_may_run_at_any_moment_of_a_fork) {
    const struct sigaction action = {.sa_handler = allocate, .sa_flags = SA_RESTART};
    const struct itimerval often = {{0, 300}, {0, 300}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    fork_and_wait(2000);
}
END_TEST

static FILE *stream;
static volatile bool ending;

/* Holds the stream's lock and waits for the heap's. */
static void *read_long_lines(void *unused) {
    while (!ending) {
        char *line = NULL;
        size_t room = 0;
        rewind(stream);
        ck_assert_int_eq(getdelim(&line, &room, '\n', stream), 200001);
        free(line);
    }
    return unused;
}

/* Holds the lock of the list of streams and waits for the stream's. */
static void *flush_all(void *unused) {
    while (!ending)
        fflush(NULL);
    return unused;
}

START_TEST(fork_holds_no_lock_while_it_waits_for_streams) {
    pthread_t reader, flusher;
    stream = tmpfile();
    ck_assert_ptr_nonnull(stream);
    for (int i = 0; i < 200000; i++)
        fputc('a', stream);
    fputc('\n', stream);
    ck_assert_int_eq(fflush(stream), 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_long_lines, NULL), 0);
    ck_assert_int_eq(pthread_create(&flusher, NULL, flush_all, NULL), 0);
    fork_and_wait(500);
    ending = true;
    pthread_join(reader, NULL);
    pthread_join(flusher, NULL);
}
END_TEST

static void *use_streams(void *unused) {
    FILE *file = fopen("/dev/null", "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fflush(NULL), 0);
    ck_assert_int_eq(fclose(file), 0);
    return unused;
}

static void use_streams_in_a_thread(void) {
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, use_streams, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* With _i: in a process that has had a second thread. */
START_TEST(parent_and_child_have_their_streams_and_their_mask) {
    sigset_t wanted, now;
    if (_i)
        use_streams_in_a_thread();
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR2);
    sigprocmask(SIG_SETMASK, &wanted, NULL);
    for (int generation = 0; generation < 3; generation++) {
        pid_t child = fork();
        sigprocmask(SIG_SETMASK, NULL, &now);
        ck_assert_mem_eq(&now, &wanted, sizeof(unsigned long));
        use_streams_in_a_thread();
        if (child) {
            await_child(child);
            break;
        }
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        handler_that_allocates_may_run_at_any_moment_of_a_fork,
        fork_holds_no_lock_while_it_waits_for_streams,
    };
    const struct looped looped[] = {{parent_and_child_have_their_streams_and_their_mask, 2}};
    return suite_run("fork", tests, 2, looped, 1, 60);
}
