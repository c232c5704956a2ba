/* Transfers that a signal cuts short although its handler has SA_RESTART: a blocking write to a
 * pipe or socket that has done a part returns what it did, and so does recv with MSG_WAITALL.
 *
 * Without signals such a call is whole, and programs that have none rely on it. So where the stop
 * signal alone has cut a call, the rest is done by another one. What fails then, or is cut by the
 * program's own signal, is reported as it would have been: as what was done so far.
 */
#include "real.h"

#include "thread/thread.h"

#include <alloca.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Evaluates call, which transfers bytes from at on, until all is done or it was not we who cut it.
 */
#define WHOLE(bytes, at, call)                                                                     \
    ({                                                                                             \
        struct thread *self_ = thread_self;                                                        \
        size_t at = 0;                                                                             \
        ssize_t result_;                                                                           \
        for (;;) {                                                                                 \
            self_->call_cut = self_->call_broken = false;                                          \
            result_ = (call);                                                                      \
            if (result_ > 0)                                                                       \
                at += result_;                                                                     \
            if (result_ == -1 && errno == EINTR && self_->call_broken)                             \
                continue;                                                                          \
            if (result_ <= 0 || at >= (bytes) || !self_->call_cut)                                 \
                break;                                                                             \
        }                                                                                          \
        at > 0 ? (ssize_t)at : result_;                                                            \
    })

TITHE_EXPORT ssize_t write(int fd, const void *from, size_t bytes) {
    int before = errno;
    ssize_t done = WHOLE(bytes, at, REAL(write)(fd, (const char *)from + at, bytes - at));
    if (done >= 0)
        errno = before;
    return done;
}

TITHE_EXPORT ssize_t send(int fd, const void *from, size_t bytes, int flags) {
    int before = errno;
    ssize_t done = WHOLE(bytes, at, REAL(send)(fd, (const char *)from + at, bytes - at, flags));
    if (done >= 0)
        errno = before;
    return done;
}

/* Only with MSG_WAITALL is a receive meant to be whole. */
TITHE_EXPORT ssize_t recv(int fd, void *to, size_t bytes, int flags) {
    size_t least = (flags & MSG_WAITALL) && !(flags & MSG_PEEK) ? bytes : 0;
    int before = errno;
    ssize_t done = WHOLE(least, at, REAL(recv)(fd, (char *)to + at, bytes - at, flags));
    if (done >= 0)
        errno = before;
    return done;
}

/* Drops from a copy of the parts what was transferred. */
static int drop_done(struct iovec *parts, int count, size_t done) {
    int first = 0;
    while (first < count && done >= parts[first].iov_len)
        done -= parts[first++].iov_len;
    if (first < count) {
        parts[first].iov_base = (char *)parts[first].iov_base + done;
        parts[first].iov_len -= done;
    }
    return first;
}

TITHE_EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct thread *self = thread_self;
    self->call_cut = false;
    ssize_t done = REAL(writev)(fd, parts, count);
    if (done <= 0 || !self->call_cut)
        return done;
    struct iovec *copy = alloca(count * sizeof *copy);
    memcpy(copy, parts, count * sizeof *copy);
    int before = errno, first = drop_done(copy, count, done);
    while (first < count && self->call_cut) {
        self->call_cut = false;
        ssize_t more = REAL(writev)(fd, copy + first, count - first);
        if (more <= 0)
            break;
        done += more;
        first += drop_done(copy + first, count - first, more);
    }
    errno = before;
    return done;
}
