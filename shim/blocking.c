/* Calls that fail with EINTR after any signal handler, even one installed with SA_RESTART: poll,
 * semaphores with a deadline and the like (signal(7)). Here is what waits for something to happen;
 * sleep.c, transfer.c, connect.c and aio.c have the others of the kind.
 */

#include "real.h"
#include "signals.h"
#include "unbroken.h"

#include <poll.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <unistd.h>

TITHE_EXPORT int poll(struct pollfd *entries, nfds_t count, int timeout) {
    struct deadline deadline = deadline_in_milliseconds(timeout);
    return UNBROKEN(REAL(poll)(entries, count, deadline_milliseconds_left(&deadline, timeout)));
}

TITHE_EXPORT int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
    struct deadline deadline = deadline_in_milliseconds(timeout);
    return UNBROKEN(
        REAL(epoll_wait)(epoll, events, most, deadline_milliseconds_left(&deadline, timeout)));
}

TITHE_EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout,
                             const sigset_t *mask) {
    struct deadline deadline = deadline_in_milliseconds(timeout);
    sigset_t copy;
    mask = signals_without_stop(mask, &copy);
    return UNBROKEN(REAL(epoll_pwait)(epoll, events, most,
                                      deadline_milliseconds_left(&deadline, timeout), mask));
}

TITHE_EXPORT int epoll_pwait2(int epoll, struct epoll_event *events, int most,
                              const struct timespec *timeout, const sigset_t *mask) {
    struct deadline deadline = deadline_after(CLOCK_MONOTONIC, timeout);
    struct timespec left;
    sigset_t copy;
    mask = signals_without_stop(mask, &copy);
    return UNBROKEN(REAL(epoll_pwait2)(epoll, events, most, deadline_left(&deadline, &left), mask));
}

TITHE_EXPORT int ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                       const sigset_t *mask) {
    struct deadline deadline = deadline_after(CLOCK_MONOTONIC, timeout);
    struct timespec left;
    sigset_t copy;
    mask = signals_without_stop(mask, &copy);
    return UNBROKEN(REAL(ppoll)(entries, count, deadline_left(&deadline, &left), mask));
}

TITHE_EXPORT int pselect(int count, fd_set *read, fd_set *write, fd_set *except,
                         const struct timespec *timeout, const sigset_t *mask) {
    struct deadline deadline = deadline_after(CLOCK_MONOTONIC, timeout);
    struct timespec left;
    sigset_t copy;
    mask = signals_without_stop(mask, &copy);
    return UNBROKEN(
        REAL(pselect)(count, read, write, except, deadline_left(&deadline, &left), mask));
}

/* Linux writes the time that is left back, but stops its clock while a handler runs. */
static void set_time_left(struct deadline *deadline, struct timeval *timeout) {
    struct timespec left;
    bool again = deadline->again;
    if (deadline_left(deadline, &left) == &left && again)
        *timeout = (struct timeval){left.tv_sec, (left.tv_nsec + 999) / 1000};
}

TITHE_EXPORT int select(int count, fd_set *read, fd_set *write, fd_set *except,
                        struct timeval *timeout) {
    struct timespec wait;
    if (timeout)
        wait = (struct timespec){timeout->tv_sec + timeout->tv_usec / 1000000,
                                 timeout->tv_usec % 1000000 * 1000};
    struct deadline deadline = deadline_after(CLOCK_MONOTONIC, timeout ? &wait : NULL);
    return UNBROKEN(({
        set_time_left(&deadline, timeout);
        REAL(select)(count, read, write, except, timeout);
    }));
}

TITHE_EXPORT int pause(void) { return UNBROKEN(REAL(pause)()); }

TITHE_EXPORT int sigsuspend(const sigset_t *mask) {
    sigset_t copy;
    mask = signals_without_stop(mask, &copy);
    return UNBROKEN(REAL(sigsuspend)(mask));
}

/* The same with a mask of the old kind, of which glibc has the first signals in its first word, or
 * with the present one but for one signal. The header's name for the latter is the former's. */
TITHE_EXPORT int __sigpause(int mask_or_number, int is_number) {
    sigset_t set;
    if (is_number) {
        if (sigprocmask(SIG_BLOCK, NULL, &set) != 0 || sigdelset(&set, mask_or_number) != 0)
            return -1;
    } else {
        sigemptyset(&set);
        memcpy(&set, &mask_or_number, sizeof mask_or_number);
    }
    return sigsuspend(&set);
}

int sigpause_number(int number) __asm__("__xpg_sigpause");
TITHE_EXPORT int sigpause_number(int number) { return __sigpause(number, 1); }

int sigpause_mask(int mask) __asm__("sigpause");
TITHE_EXPORT int sigpause_mask(int mask) { return __sigpause(mask, 0); }

TITHE_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info,
                              const struct timespec *timeout) {
    struct deadline deadline = deadline_after(CLOCK_MONOTONIC, timeout);
    struct timespec left;
    sigset_t copy;
    set = signals_without_stop(set, &copy);
    return UNBROKEN(REAL(sigtimedwait)(set, info, deadline_left(&deadline, &left)));
}

TITHE_EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info) {
    return sigtimedwait(set, info, NULL);
}

TITHE_EXPORT int sem_wait(sem_t *semaphore) { return UNBROKEN(REAL(sem_wait)(semaphore)); }

TITHE_EXPORT int sem_timedwait(sem_t *semaphore, const struct timespec *deadline) {
    return UNBROKEN(REAL(sem_timedwait)(semaphore, deadline));
}

TITHE_EXPORT int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline) {
    return UNBROKEN(REAL(sem_clockwait)(semaphore, clock, deadline));
}

TITHE_EXPORT int semop(int set, struct sembuf *operations, size_t count) {
    return UNBROKEN(REAL(semop)(set, operations, count));
}

TITHE_EXPORT int semtimedop(int set, struct sembuf *operations, size_t count,
                            const struct timespec *timeout) {
    struct deadline deadline = deadline_after(CLOCK_MONOTONIC, timeout);
    struct timespec left;
    return UNBROKEN(REAL(semtimedop)(set, operations, count, deadline_left(&deadline, &left)));
}

TITHE_EXPORT ssize_t msgrcv(int queue, void *message, size_t bytes, long type, int flags) {
    return UNBROKEN(REAL(msgrcv)(queue, message, bytes, type, flags));
}

TITHE_EXPORT int msgsnd(int queue, const void *message, size_t bytes, int flags) {
    return UNBROKEN(REAL(msgsnd)(queue, message, bytes, flags));
}

/* What programs compiled with _FORTIFY_SOURCE call, and glibc's way to fail its check. */
void __chk_fail(void) __attribute__((noreturn));
int __poll_chk(struct pollfd *entries, nfds_t count, int timeout, size_t bytes);
TITHE_EXPORT int __poll_chk(struct pollfd *entries, nfds_t count, int timeout, size_t bytes) {
    if (bytes / sizeof *entries < count)
        __chk_fail();
    return poll(entries, count, timeout);
}

int __ppoll_chk(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t bytes);
TITHE_EXPORT int __ppoll_chk(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                             const sigset_t *mask, size_t bytes) {
    if (bytes / sizeof *entries < count)
        __chk_fail();
    return ppoll(entries, count, timeout, mask);
}

ALIAS(__poll, poll);
ALIAS(__select, select);
ALIAS(__sigsuspend, sigsuspend);
