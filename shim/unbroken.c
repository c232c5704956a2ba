/* Whose EINTR it was, and what is left of a wait; see unbroken.h. */
#include "unbroken.h"

#include "os/clock.h"
#include "os/tasks.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

/* The thread may be leaving at this very moment, with the lock held, and a handler of the program's
 * have interrupted it: so patience has an end. */
enum { PATIENCE_MILLISECONDS = 200 };

struct thread *unbroken_record_of_left(void) {
    struct thread *thread = NULL;
    if (lock_take_within(&thread_registry_lock, PATIENCE_MILLISECONDS)) {
        thread = thread_by_id(tasks_self());
        lock_give(&thread_registry_lock);
    }
    return thread ? thread : &thread_left;
}

static struct thread *record_of(struct thread *thread) {
    return thread == &thread_left ? unbroken_record_of_left() : thread;
}

/* Since the call was made. */
static unsigned long counted(const struct unbroken *call) {
    return handler_counts_below(call->frame) - call->handler_counts;
}

/* Whether what the stop found was that call. */
static bool was_in(const struct unbroken *call, const struct thread *thread, size_t depth) {
    return call->frame - thread->stack_pointer < depth;
}

bool unbroken_was_broken(const struct unbroken *call, size_t depth) {
    struct thread *thread = record_of(call->thread);
    unsigned long counts = counted(call);
    bool stopped = thread->call_broken && was_in(call, thread, depth);
    return (stopped || handler_has_broken(counts)) && !handler_has_returned(counts);
}

bool unbroken_was_cut(const struct unbroken *call) {
    struct thread *thread = record_of(call->thread);
    unsigned long counts = counted(call);
    bool stopped = thread->call_cut && was_in(call, thread, CALL_DEPTH);
    return (stopped || handler_has_cut(counts)) && !handler_has_returned(counts);
}

bool unbroken_again(struct unbroken *call) {
    call->thread = unbroken_record();
    unsigned long counts = counted(call);
    call->handler_counts += counts;
    if (!handler_has_returned(counts))
        return true;
    errno = EINTR;
    return false;
}

/* Wide enough that nothing overflows; what is later than the clock can tell is never. */
struct deadline deadline_after(clockid_t clock, const struct timespec *wait) {
    struct deadline deadline = {.limited = wait != NULL, .clock = clock, .asked = wait};
    if (wait == NULL || clock_gettime(clock, &deadline.at) != 0)
        return deadline;
    deadline.at.tv_nsec += wait->tv_nsec % 1000000000;
    if (__builtin_add_overflow(deadline.at.tv_sec, wait->tv_sec, &deadline.at.tv_sec))
        deadline.at.tv_sec = LONG_MAX - 1;
    if (deadline.at.tv_nsec >= 1000000000) {
        deadline.at.tv_nsec -= 1000000000;
        deadline.at.tv_sec++;
    }
    return deadline;
}

static struct timespec time_until(const struct deadline *deadline) {
    struct timespec now, left;
    clock_gettime(deadline->clock, &now);
    left.tv_sec = deadline->at.tv_sec - now.tv_sec;
    left.tv_nsec = deadline->at.tv_nsec - now.tv_nsec;
    if (left.tv_nsec < 0) {
        left.tv_nsec += 1000000000;
        left.tv_sec--;
    }
    return left.tv_sec < 0 ? (struct timespec){0, 0} : left;
}

const struct timespec *deadline_left(struct deadline *deadline, struct timespec *left) {
    bool again = deadline->again;
    deadline->again = true;
    if (!again || !deadline->limited)
        return deadline->asked;
    *left = time_until(deadline);
    return left;
}

struct deadline deadline_in_milliseconds(int milliseconds) {
    struct timespec wait = {milliseconds / 1000, milliseconds % 1000 * 1000000l};
    return deadline_after(CLOCK_MONOTONIC, milliseconds > 0 ? &wait : NULL);
}

int deadline_milliseconds_left(struct deadline *deadline, int whole) {
    bool again = deadline->again;
    deadline->again = true;
    if (!again || !deadline->limited)
        return whole;
    struct timespec left = time_until(deadline);
    return (int)(left.tv_sec * 1000 + (left.tv_nsec + 999999) / 1000000);
}

int timeout_left(int fd, int option, long long begun) {
    enum { COARSENESS_MILLISECONDS = 10 };
    struct timeval timeout;
    socklen_t bytes = sizeof timeout;
    if (getsockopt(fd, SOL_SOCKET, option, &timeout, &bytes) != 0)
        return -1;
    long long whole = timeout.tv_sec * 1000ll + timeout.tv_usec / 1000;
    if (whole == 0)
        return -1;
    long long left = begun + whole + COARSENESS_MILLISECONDS - clock_coarse_milliseconds();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

bool timeout_goes_on(int fd, int option, long long begun) {
    struct pollfd entry = {.fd = fd, .events = option == SO_RCVTIMEO ? POLLIN : POLLOUT};
    int left = timeout_left(fd, option, begun);
    if (left < 0)
        return true;
    int ready = poll(&entry, 1, left);
    if (ready == 0)
        errno = EAGAIN;
    return ready > 0;
}
