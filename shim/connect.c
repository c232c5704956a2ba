/* Making connections on sockets with a timeout, which no signal handler lets be restarted. */
#include "real.h"
#include "unbroken.h"

#include <poll.h>
#include <sys/socket.h>

TITHE_EXPORT int accept(int fd, struct sockaddr *from, socklen_t *from_bytes) {
    return UNBROKEN_ON(fd, SO_RCVTIMEO, REAL(accept)(fd, from, from_bytes));
}

TITHE_EXPORT int accept4(int fd, struct sockaddr *from, socklen_t *from_bytes, int flags) {
    return UNBROKEN_ON(fd, SO_RCVTIMEO, REAL(accept4)(fd, from, from_bytes, flags));
}

/* The attempt goes on by itself; it is over when the socket can be written to. */
static int await_connection(int fd, long long begun) {
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    int failure, ready = poll(&entry, 1, timeout_left(fd, SO_SNDTIMEO, begun));
    socklen_t bytes = sizeof failure;
    if (ready < 0 || (ready > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &bytes) != 0))
        return -1;
    if (ready > 0 && failure == 0)
        return 0;
    errno = ready > 0 ? failure : EINPROGRESS;
    return -1;
}

/* A local socket that waits for room in the other's queue has begun nothing yet. */
static bool tries_again(int fd, const struct sockaddr *to, long long begun) {
    if (to->sa_family != AF_UNIX)
        return false;
    if (timeout_left(fd, SO_SNDTIMEO, begun) != 0)
        return true;
    errno = EAGAIN;
    return false;
}

/* By the kernel's rules a call that was broken is not to be made again, but its attempt awaited. */
TITHE_EXPORT int connect(int fd, const struct sockaddr *to, socklen_t to_bytes) {
    long long begun = clock_coarse_milliseconds();
    int before = errno;
    bool broken = false;
    int result = UNBROKEN_WHILE(CALL_DEPTH, REAL(connect)(fd, to, to_bytes),
                                (broken = to->sa_family != AF_UNIX, tries_again(fd, to, begun)));
    if (!broken)
        return result;
    result = await_connection(fd, begun);
    if (result == 0)
        errno = before;
    return result;
}

ALIAS(__connect, connect);
