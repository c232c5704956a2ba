/* Calls that fail with EINTR after any signal handler, even one installed with SA_RESTART: poll,
 * sleep, semaphores with a deadline and the like (signal(7)).
 *
 * The program did not ask for the stop signal and must not see its EINTR. The stop handler tells
 * whether it alone broke the call (os/signal.h); then the call is made again with the time that is
 * left. A signal of the program's own is reported as ever. A blocking thread is signalled like any
 * other: it cannot be taken as stopped while it sleeps, because a handler of the program's may run
 * in it at any time.
 */

#include "real.h"
#include "signals.h"

#include "thread/thread.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Evaluates call until it was not broken by the stop signal alone. */
#define UNBROKEN(call)                                                                             \
    ({                                                                                             \
        struct thread *self_ = thread_current();                                                   \
        __typeof__(call) result_;                                                                  \
        do {                                                                                       \
            self_->call_broken = false;                                                            \
            result_ = (call);                                                                      \
        } while (result_ == -1 && errno == EINTR && self_->call_broken);                           \
        result_;                                                                                   \
    })

struct deadline {
    bool limited;
    const struct timespec *asked; /* until the call was made for the first time */
    struct timespec at;
};

static struct deadline deadline_after(const struct timespec *wait) {
    struct deadline deadline = {.limited = wait != NULL, .asked = wait};
    if (wait == NULL)
        return deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline.at);
    deadline.at.tv_sec += wait->tv_sec;
    deadline.at.tv_nsec += wait->tv_nsec;
    if (deadline.at.tv_nsec >= 1000000000) {
        deadline.at.tv_nsec -= 1000000000;
        deadline.at.tv_sec++;
    }
    return deadline;
}

static void time_until(const struct deadline *deadline, struct timespec *left) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    left->tv_sec = deadline->at.tv_sec - now.tv_sec;
    left->tv_nsec = deadline->at.tv_nsec - now.tv_nsec;
    if (left->tv_nsec < 0) {
        left->tv_nsec += 1000000000;
        left->tv_sec--;
    }
    if (left->tv_sec < 0)
        *left = (struct timespec){0, 0};
}

/* The time left in *left, or NULL for ever. The first time it is what was asked for, valid or not.
 */
static const struct timespec *time_left(struct deadline *deadline, struct timespec *left) {
    const struct timespec *asked = deadline->asked;
    deadline->asked = NULL;
    if (!deadline->limited || asked)
        return asked;
    time_until(deadline, left);
    return left;
}

/* Rounded up, so that a retry never returns too early. */
static int milliseconds_left(const struct deadline *deadline, int whole, bool again) {
    struct timespec left;
    if (!again || !deadline->limited)
        return whole;
    time_until(deadline, &left);
    return (int)(left.tv_sec * 1000 + (left.tv_nsec + 999999) / 1000000);
}

static struct deadline deadline_in_milliseconds(int milliseconds) {
    struct timespec wait = {milliseconds / 1000, milliseconds % 1000 * 1000000l};
    return deadline_after(milliseconds > 0 ? &wait : NULL);
}

TITHE_EXPORT int poll(struct pollfd *entries, nfds_t count, int timeout) {
    struct deadline deadline = deadline_in_milliseconds(timeout);
    bool again = false;
    return UNBROKEN(({
        int left = milliseconds_left(&deadline, timeout, again);
        again = true;
        REAL(poll)(entries, count, left);
    }));
}

TITHE_EXPORT int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
    struct deadline deadline = deadline_in_milliseconds(timeout);
    bool again = false;
    return UNBROKEN(({
        int left = milliseconds_left(&deadline, timeout, again);
        again = true;
        REAL(epoll_wait)(epoll, events, most, left);
    }));
}

TITHE_EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout,
                             const sigset_t *mask) {
    struct deadline deadline = deadline_in_milliseconds(timeout);
    sigset_t copy;
    bool again = false;
    mask = signals_without_stop(mask, &copy);
    return UNBROKEN(({
        int left = milliseconds_left(&deadline, timeout, again);
        again = true;
        REAL(epoll_pwait)(epoll, events, most, left, mask);
    }));
}

TITHE_EXPORT int epoll_pwait2(int epoll, struct epoll_event *events, int most,
                              const struct timespec *timeout, const sigset_t *mask) {
    struct deadline deadline = deadline_after(timeout);
    struct timespec left;
    sigset_t copy;
    mask = signals_without_stop(mask, &copy);
    return UNBROKEN(REAL(epoll_pwait2)(epoll, events, most, time_left(&deadline, &left), mask));
}

TITHE_EXPORT int ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                       const sigset_t *mask) {
    struct deadline deadline = deadline_after(timeout);
    struct timespec left;
    sigset_t copy;
    mask = signals_without_stop(mask, &copy);
    return UNBROKEN(REAL(ppoll)(entries, count, time_left(&deadline, &left), mask));
}

TITHE_EXPORT int pselect(int count, fd_set *read, fd_set *write, fd_set *except,
                         const struct timespec *timeout, const sigset_t *mask) {
    struct deadline deadline = deadline_after(timeout);
    struct timespec left;
    sigset_t copy;
    mask = signals_without_stop(mask, &copy);
    return UNBROKEN(REAL(pselect)(count, read, write, except, time_left(&deadline, &left), mask));
}

/* Linux writes the time that is left back, so the call itself may just be repeated. */
TITHE_EXPORT int select(int count, fd_set *read, fd_set *write, fd_set *except,
                        struct timeval *timeout) {
    return UNBROKEN(REAL(select)(count, read, write, except, timeout));
}

TITHE_EXPORT int nanosleep(const struct timespec *wait, struct timespec *left) {
    struct timespec request, rest = {0, 0};
    int result = UNBROKEN(({
        int once = REAL(nanosleep)(wait, &rest);
        request = rest;
        wait = &request;
        once;
    }));
    if (result == -1 && errno == EINTR && left)
        *left = rest;
    return result;
}

/* Returns the error instead of setting errno. */
TITHE_EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wait,
                                 struct timespec *left) {
    struct thread *self = thread_current();
    struct timespec request, rest = {0, 0};
    int result;
    for (;;) {
        self->call_broken = false;
        result = REAL(clock_nanosleep)(clock, flags, wait, &rest);
        if (result != EINTR || !self->call_broken)
            break;
        if (!(flags & TIMER_ABSTIME)) {
            request = rest;
            wait = &request;
        }
    }
    if (result == EINTR && left && !(flags & TIMER_ABSTIME))
        *left = rest;
    return result;
}

TITHE_EXPORT unsigned sleep(unsigned seconds) {
    struct timespec wait = {seconds, 0}, left = {0, 0};
    int before = errno;
    if (nanosleep(&wait, &left) != 0)
        return left.tv_sec + (left.tv_nsec >= 500000000);
    errno = before;
    return 0;
}

TITHE_EXPORT int usleep(useconds_t microseconds) {
    struct timespec wait = {microseconds / 1000000, microseconds % 1000000 * 1000l};
    return nanosleep(&wait, NULL);
}

TITHE_EXPORT int pause(void) { return UNBROKEN(REAL(pause)()); }

TITHE_EXPORT int sigsuspend(const sigset_t *mask) {
    sigset_t copy;
    mask = signals_without_stop(mask, &copy);
    return UNBROKEN(REAL(sigsuspend)(mask));
}

TITHE_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info,
                              const struct timespec *timeout) {
    struct deadline deadline = deadline_after(timeout);
    struct timespec left;
    sigset_t copy;
    set = signals_without_stop(set, &copy);
    return UNBROKEN(REAL(sigtimedwait)(set, info, time_left(&deadline, &left)));
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
    struct deadline deadline = deadline_after(timeout);
    struct timespec left;
    return UNBROKEN(REAL(semtimedop)(set, operations, count, time_left(&deadline, &left)));
}

TITHE_EXPORT ssize_t msgrcv(int queue, void *message, size_t bytes, long type, int flags) {
    return UNBROKEN(REAL(msgrcv)(queue, message, bytes, type, flags));
}

TITHE_EXPORT int msgsnd(int queue, const void *message, size_t bytes, int flags) {
    return UNBROKEN(REAL(msgsnd)(queue, message, bytes, flags));
}

/* The socket calls restart by themselves unless the socket has a timeout (SO_RCVTIMEO). */
TITHE_EXPORT ssize_t recvfrom(int fd, void *buffer, size_t bytes, int flags, struct sockaddr *from,
                              socklen_t *from_bytes) {
    return UNBROKEN(REAL(recvfrom)(fd, buffer, bytes, flags, from, from_bytes));
}

TITHE_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    return UNBROKEN(REAL(recvmsg)(fd, message, flags));
}

TITHE_EXPORT int accept(int fd, struct sockaddr *from, socklen_t *from_bytes) {
    return UNBROKEN(REAL(accept)(fd, from, from_bytes));
}

TITHE_EXPORT int accept4(int fd, struct sockaddr *from, socklen_t *from_bytes, int flags) {
    return UNBROKEN(REAL(accept4)(fd, from, from_bytes, flags));
}
