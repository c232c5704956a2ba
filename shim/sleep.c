/* Sleeping: as long as was asked for, however long the thread was stopped meanwhile. */
#include "real.h"
#include "unbroken.h"

#include <stdbool.h>
#include <threads.h>
#include <unistd.h>

TITHE_EXPORT int nanosleep(const struct timespec *wait, struct timespec *rest) {
    struct deadline deadline = deadline_after(CLOCK_MONOTONIC, wait);
    struct timespec left, unslept = {0, 0};
    int result = UNBROKEN(REAL(nanosleep)(deadline_left(&deadline, &left), &unslept));
    if (result == -1 && errno == EINTR && rest)
        *rest = unslept;
    return result;
}

/* A relative sleep is not moved when the time of day is set. */
static clockid_t measuring_clock(clockid_t clock) {
    return clock == CLOCK_REALTIME ? CLOCK_MONOTONIC : clock;
}

/* Returns the error instead of setting errno. */
TITHE_EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wait,
                                 struct timespec *rest) {
    bool absolute = flags & TIMER_ABSTIME;
    struct deadline deadline = deadline_after(measuring_clock(clock), absolute ? NULL : wait);
    struct timespec left, unslept = {0, 0};
    struct unbroken call = unbroken_begin();
    int result;
    do {
        const struct timespec *now = absolute ? wait : deadline_left(&deadline, &left);
        result = REAL(clock_nanosleep)(clock, flags, now, &unslept);
    } while (result == EINTR && unbroken_was_broken(&call, CALL_DEPTH) && unbroken_again(&call));
    if (result == EINTR && rest && !absolute)
        *rest = unslept;
    return result;
}

TITHE_EXPORT unsigned sleep(unsigned seconds) {
    struct timespec wait = {seconds, 0}, left = {0, 0};
    int before = errno;
    if (nanosleep(&wait, &left) != 0)
        return left.tv_sec;
    errno = before;
    return 0;
}

TITHE_EXPORT int usleep(useconds_t microseconds) {
    struct timespec wait = {microseconds / 1000000, microseconds % 1000000 * 1000l};
    return nanosleep(&wait, NULL);
}

TITHE_EXPORT int thrd_sleep(const struct timespec *wait, struct timespec *rest) {
    int result = clock_nanosleep(CLOCK_REALTIME, 0, wait, rest);
    return result == 0 ? 0 : result == EINTR ? -1 : -2;
}

ALIAS(__nanosleep, nanosleep);
