/* Transfers that a signal cuts short although its handler has SA_RESTART: a blocking write to a
 * pipe or socket that has done a part returns what it did, and so does recv with MSG_WAITALL. And
 * those that it breaks because the socket has a timeout.
 *
 * Without signals such a call is whole, and programs that have none rely on it. So where our
 * signals alone have cut a call, the rest is done by another one. What fails then, or is cut by the
 * program's own signal, is reported as it would have been: as what was done so far.
 */
#include "real.h"
#include "unbroken.h"

#include <alloca.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Evaluates call, which transfers from at on, until it has done all, which is asked only when it
 * was cut, or until it was not we who cut or broke it. */
#define WHOLE(fd, option, at, all, call)                                                           \
    ({                                                                                             \
        long long begun_ = clock_coarse_milliseconds();                                            \
        int error_ = errno;                                                                        \
        size_t at = 0;                                                                             \
        struct unbroken call_ = unbroken_begin();                                                  \
        ssize_t result_;                                                                           \
        do {                                                                                       \
            result_ = (call);                                                                      \
            if (result_ > 0)                                                                       \
                at += result_;                                                                     \
            if (result_ == -1 && errno == EINTR && unbroken_was_broken(&call_, CALL_DEPTH)         \
                    ? !timeout_goes_on(fd, option, begun_)                                         \
                    : result_ <= 0 || !unbroken_was_cut(&call_) || at >= (size_t)(all))            \
                break;                                                                             \
        } while (unbroken_again(&call_));                                                          \
        if (at > 0 || result_ == 0)                                                                \
            errno = error_;                                                                        \
        at > 0 ? (ssize_t)at : result_;                                                            \
    })

TITHE_EXPORT ssize_t write(int fd, const void *from, size_t bytes) {
    return WHOLE(fd, SO_SNDTIMEO, at, bytes, REAL(write)(fd, (const char *)from + at, bytes - at));
}

TITHE_EXPORT ssize_t send(int fd, const void *from, size_t bytes, int flags) {
    return WHOLE(fd, SO_SNDTIMEO, at, bytes,
                 REAL(send)(fd, (const char *)from + at, bytes - at, flags));
}

TITHE_EXPORT ssize_t sendto(int fd, const void *from, size_t bytes, int flags,
                            const struct sockaddr *to, socklen_t to_bytes) {
    return WHOLE(fd, SO_SNDTIMEO, at, bytes,
                 REAL(sendto)(fd, (const char *)from + at, bytes - at, flags, to, to_bytes));
}

static size_t sum(const struct iovec *parts, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    return bytes;
}

/* Copies of the parts without what was transferred of them. Returns how many are left. */
static size_t rest_of(struct iovec *rest, const struct iovec *parts, size_t count, size_t done) {
    size_t first = 0;
    while (first < count && done >= parts[first].iov_len)
        done -= parts[first++].iov_len;
    memcpy(rest, parts + first, (count - first) * sizeof *rest);
    if (first < count) {
        rest->iov_base = (char *)rest->iov_base + done;
        rest->iov_len -= done;
    }
    return count - first;
}

TITHE_EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct iovec *rest = NULL;
    return WHOLE(fd, SO_SNDTIMEO, at, sum(parts, count), ({
                     if (at > 0 && rest == NULL)
                         rest = alloca(count * sizeof *rest);
                     size_t left = at > 0 ? rest_of(rest, parts, count, at) : 0;
                     at > 0 ? REAL(writev)(fd, rest, left) : REAL(writev)(fd, parts, count);
                 }));
}

/* What goes along with the message went with its first part. */
TITHE_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    struct msghdr rest;
    return WHOLE(fd, SO_SNDTIMEO, at, sum(message->msg_iov, message->msg_iovlen), ({
                     if (at > 0) {
                         size_t count = message->msg_iovlen;
                         rest = (struct msghdr){.msg_iov = alloca(count * sizeof *rest.msg_iov)};
                         rest.msg_iovlen = rest_of(rest.msg_iov, message->msg_iov, count, at);
                     }
                     REAL(sendmsg)(fd, at > 0 ? &rest : message, flags);
                 }));
}

TITHE_EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    return WHOLE(fd, SO_SNDTIMEO, at, count, REAL(sendmmsg)(fd, messages + at, count - at, flags));
}

/* Only from a stream, and with MSG_WAITALL, is a receive meant to be whole. */
static size_t all_of(int fd, size_t bytes, int flags) {
    int type;
    socklen_t type_bytes = sizeof type;
    if (!(flags & MSG_WAITALL) || (flags & MSG_PEEK) ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_bytes) != 0)
        return 0;
    return type == SOCK_STREAM ? bytes : 0;
}

TITHE_EXPORT ssize_t recv(int fd, void *to, size_t bytes, int flags) {
    return WHOLE(fd, SO_RCVTIMEO, at, all_of(fd, bytes, flags),
                 REAL(recv)(fd, (char *)to + at, bytes - at, flags));
}

TITHE_EXPORT ssize_t recvfrom(int fd, void *to, size_t bytes, int flags, struct sockaddr *from,
                              socklen_t *from_bytes) {
    return WHOLE(fd, SO_RCVTIMEO, at, all_of(fd, bytes, flags),
                 REAL(recvfrom)(fd, (char *)to + at, bytes - at, flags, from, from_bytes));
}

TITHE_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    return UNBROKEN_ON(fd, SO_RCVTIMEO, REAL(recvmsg)(fd, message, flags));
}

/* Linux remembers what ended the call after its first messages as the socket's error. */
static void forget_error(int fd) {
    int error;
    socklen_t bytes = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
}

TITHE_EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                          struct timespec *timeout) {
    bool waits = timeout == NULL && !(flags & (MSG_WAITFORONE | MSG_DONTWAIT));
    return WHOLE(fd, SO_RCVTIMEO, at, waits ? count : 0, ({
                     if (at > 0)
                         forget_error(fd);
                     REAL(recvmmsg)(fd, messages + at, count - at, flags, timeout);
                 }));
}

TITHE_EXPORT ssize_t read(int fd, void *to, size_t bytes) {
    return UNBROKEN_ON(fd, SO_RCVTIMEO, REAL(read)(fd, to, bytes));
}

TITHE_EXPORT ssize_t readv(int fd, const struct iovec *parts, int count) {
    return UNBROKEN_ON(fd, SO_RCVTIMEO, REAL(readv)(fd, parts, count));
}

/* What programs compiled with _FORTIFY_SOURCE call, and glibc's way to fail its check. */
void __chk_fail(void) __attribute__((noreturn));
ssize_t __read_chk(int fd, void *to, size_t bytes, size_t room);
ssize_t __recv_chk(int fd, void *to, size_t bytes, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *to, size_t bytes, size_t room, int flags,
                       struct sockaddr *from, socklen_t *from_bytes);

TITHE_EXPORT ssize_t __read_chk(int fd, void *to, size_t bytes, size_t room) {
    if (bytes > room)
        __chk_fail();
    return read(fd, to, bytes);
}

TITHE_EXPORT ssize_t __recv_chk(int fd, void *to, size_t bytes, size_t room, int flags) {
    if (bytes > room)
        __chk_fail();
    return recv(fd, to, bytes, flags);
}

TITHE_EXPORT ssize_t __recvfrom_chk(int fd, void *to, size_t bytes, size_t room, int flags,
                                    struct sockaddr *from, socklen_t *from_bytes) {
    if (bytes > room)
        __chk_fail();
    return recvfrom(fd, to, bytes, flags, from, from_bytes);
}

ALIAS(__write, write);
ALIAS(__send, send);
ALIAS(__read, read);
