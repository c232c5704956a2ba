/* System calls that wait, made by a bare instruction, as static runtimes make them, while
 * collections go on back to back: what doc/bare-waits.md says of them. With TELL_BARE_WAITS set the
 * figures of that page are printed. */
#include "suite.h"

#include "os/syscall.h"
#include "tithe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)

enum { WAIT_MILLISECONDS = 20, WAIT = WAIT_MILLISECONDS * 1000000 };

static volatile bool ending;
static volatile unsigned collections;
static int ends[2], sockets[2], instance, word, semaphores;

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void *collect(void *unused) {
    while (!ending) {
        free(malloc(100));
        collections += tithe_collect() != 0;
    }
    return unused;
}

/* Calls that wait for their time to end. */
static struct timespec while_waiting(void) { return (struct timespec){0, WAIT}; }

static long wait_futex(void) {
    struct timespec time = while_waiting();
    return syscall_raw(SYS_futex, (long)&word, FUTEX_WAIT_PRIVATE, 0, (long)&time, 0, 0);
}

static long wait_futex_until(void) {
    long long end = now() + WAIT;
    struct timespec at = {end / 1000000000, end % 1000000000};
    return syscall_raw(SYS_futex, (long)&word, FUTEX_WAIT_BITSET_PRIVATE, 0, (long)&at, 0, ~0u);
}

static long wait_epoll(void) {
    struct epoll_event event;
    return syscall_raw(SYS_epoll_wait, instance, (long)&event, 1, WAIT_MILLISECONDS, 0, 0);
}

static long wait_poll(void) {
    struct pollfd polled = {ends[0], POLLIN, 0};
    return syscall_raw(SYS_poll, (long)&polled, 1, WAIT_MILLISECONDS, 0, 0, 0);
}

static long wait_ppoll(void) {
    struct pollfd polled = {ends[0], POLLIN, 0};
    struct timespec time = while_waiting();
    return syscall_raw(SYS_ppoll, (long)&polled, 1, (long)&time, 0, 8, 0);
}

static long wait_select(void) {
    struct timeval time = {0, WAIT / 1000};
    return syscall_raw(SYS_select, 0, 0, 0, 0, (long)&time, 0);
}

static long wait_nanosleep(void) {
    struct timespec time = while_waiting();
    return syscall_raw(SYS_nanosleep, (long)&time, 0, 0, 0, 0, 0);
}

static long wait_clock(void) {
    struct timespec time = while_waiting();
    return syscall_raw(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&time, 0, 0, 0);
}

static long wait_signal(void) {
    uint64_t set = (uint64_t)1 << (SIGUSR2 - 1);
    struct timespec time = while_waiting();
    return syscall_raw(SYS_rt_sigtimedwait, (long)&set, 0, (long)&time, sizeof set, 0, 0);
}

static long wait_semaphore(void) {
    struct sembuf take = {0, -1, 0};
    struct timespec time = while_waiting();
    return syscall_raw(SYS_semtimedop, semaphores, (long)&take, 1, (long)&time, 0, 0);
}

static long wait_socket_with_time(void) {
    struct timeval time = {0, WAIT / 1000};
    char byte;
    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    return syscall_raw(SYS_recvfrom, sockets[0], (long)&byte, 1, 0, 0, 0);
}

/* Calls that another thread's doing ends after the same time. */
static long wait_pipe(void) {
    char byte;
    return syscall_raw(SYS_read, ends[0], (long)&byte, 1, 0, 0, 0) - 1;
}

static long wait_socket(void) {
    struct timeval never = {0, 0};
    char byte;
    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never);
    return syscall_raw(SYS_recvfrom, sockets[0], (long)&byte, 1, 0, 0, 0) - 1;
}

static long wait_futex_for_ever(void) {
    long result = syscall_raw(SYS_futex, (long)&word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
    return result == -EAGAIN ? 0 : result;
}

static long wait_child(void) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        usleep(WAIT / 1000);
        _exit(0);
    }
    return syscall_raw(SYS_wait4, child, (long)&status, 0, 0, 0, 0) - child;
}

static long wait_lock(void) {
    struct flock lock = {.l_type = F_WRLCK};
    int file = dup(fileno(tmpfile())), told[2];
    pid_t child = -1;
    char byte;
    if (pipe(told) == 0 && (child = fork()) == 0) {
        fcntl(file, F_SETLK, &lock);
        if (write(told[1], "", 1) == 1)
            usleep(WAIT / 1000);
        _exit(0);
    }
    REQUIRE(read(told[0], &byte, 1) == 1);
    long result = syscall_raw(SYS_fcntl, file, F_SETLKW, (long)&lock, 0, 0, 0);
    waitpid(child, NULL, 0);
    close(file), close(told[0]), close(told[1]);
    return result;
}

static const struct call {
    const char *name;
    long (*wait)(void);
    long ended; /* what it returns when its time ends */
} broken[] =
    {
        {"futex with a time", wait_futex, -ETIMEDOUT},
        {"futex until a time", wait_futex_until, -ETIMEDOUT},
        {"epoll_wait", wait_epoll, 0},
        {"poll", wait_poll, 0},
        {"ppoll", wait_ppoll, 0},
        {"select", wait_select, 0},
        {"nanosleep", wait_nanosleep, 0},
        {"clock_nanosleep", wait_clock, 0},
        {"rt_sigtimedwait", wait_signal, -EAGAIN},
        {"semtimedop", wait_semaphore, -EAGAIN},
        {"recvfrom with SO_RCVTIMEO", wait_socket_with_time, -EAGAIN},
},
  restarted[] = {
      {"read of a pipe", wait_pipe, 0},
      {"recvfrom", wait_socket, 0},
      {"futex without a time", wait_futex_for_ever, 0},
      {"wait4", wait_child, 0},
      {"fcntl(F_SETLKW)", wait_lock, 0},
};
enum { BROKEN = sizeof broken / sizeof *broken, RESTARTED = sizeof restarted / sizeof *restarted };

/* Ends what waits without a time. */
static void *wake(void *unused) {
    struct timespec time = while_waiting();
    while (!ending) {
        nanosleep(&time, NULL);
        REQUIRE(write(ends[1], "", 1) == 1 && write(sockets[1], "", 1) == 1);
        syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    return unused;
}

static void prepare(void) {
    struct epoll_event event = {.events = EPOLLIN};
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    instance = epoll_create1(0);
    ck_assert_int_eq(epoll_ctl(instance, EPOLL_CTL_ADD, ends[0], &event), 0);
    semaphores = semget(IPC_PRIVATE, 1, 0600);
}

/* How many of so many waits ended with EINTR; none ends early in another way. */
static int count_broken(const struct call *call, int waits, bool has_time) {
    int count = 0;
    for (int i = 0; i < waits; i++) {
        long long begun = now();
        long result = call->wait();
        count += result == -EINTR;
        ck_assert_msg(result == -EINTR || result == call->ended, "%s: %ld", call->name, result);
        ck_assert(result == -EINTR || !has_time || now() - begun >= WAIT - 1000000);
    }
    return count;
}

static int try_call(const struct call *call, bool has_time) {
    bool tells = getenv("TELL_BARE_WAITS") != NULL;
    int waits = tells ? 100 : 10;
    pthread_t threads[2];
    prepare();
    pthread_create(&threads[0], NULL, collect, NULL);
    if (!has_time)
        pthread_create(&threads[1], NULL, wake, NULL);
    int count = count_broken(call, waits, has_time);
    ending = true;
    for (int i = 0; i <= !has_time; i++)
        pthread_join(threads[i], NULL);
    semctl(semaphores, 0, IPC_RMID);
    ck_assert_uint_gt(collections, 0);
    if (tells)
        printf("%s: %d of %d, %u collections\n", call->name, count, waits, collections);
    return count;
}

START_TEST(waits_with_a_time_end_in_time_or_are_broken) { try_call(&broken[_i], true); }
END_TEST

START_TEST(waits_without_a_time_go_on) { ck_assert_int_eq(try_call(&restarted[_i], false), 0); }
END_TEST

int main(void) {
    const struct looped loops[] = {{waits_with_a_time_end_in_time_or_are_broken, BROKEN},
                                   {waits_without_a_time_go_on, RESTARTED}};
    return suite_run("bare waits", NULL, 0, loops, 2, 60);
}

#else
int main(void) { return 0; }
#endif
