/* Going on with a call that the stop signal broke, or another one that is the collector's.
 *
 * The program did not ask for that signal and must not see its EINTR. The stop handler tells
 * whether it alone broke the call (os/signal.h); then the call is made again with the time that is
 * left. A signal of the program's own is reported as ever. A blocking thread is signalled like any
 * other: it cannot be taken as stopped while it sleeps, because a handler of the program's may run
 * in it at any time. What such a handler calls, and what of that is broken, is none of the
 * interrupted call's business: the stop counts only where it found the stack as deep as that call
 * has it. And where such a handler returned during the call, the call was the program's to break,
 * whatever the stop found (os/handler.h).
 */
#ifndef TITHE_SHIM_UNBROKEN_H
#define TITHE_SHIM_UNBROKEN_H

#include "os/clock.h"
#include "os/handler.h"
#include "thread/thread.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* More than libc's functions need below a wrapper's frame, less than a signal frame. */
enum { CALL_DEPTH = 1024 };

/* The record of a thread that left, if it was given another one since, else &thread_left. */
struct thread *unbroken_record_of_left(void);

struct unbroken {
    struct thread *thread;
    uintptr_t frame;              /* of the wrapper */
    unsigned long handler_counts; /* before the call */
};

/* Forgets what happened to earlier calls. */
static inline struct thread *unbroken_record(void) {
    struct thread *thread = thread_current();
    if (__builtin_expect(thread == &thread_left, 0))
        thread = unbroken_record_of_left();
    thread->call_broken = thread->call_cut = false;
    return thread;
}

/* Before the call. */
__attribute__((always_inline)) static inline struct unbroken unbroken_begin(void) {
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    return (struct unbroken){unbroken_record(), frame, handler_counts_below(frame)};
}

/* Before it is made again. False with EINTR if it must not be, because a handler of the program's
 * has run meanwhile. */
bool unbroken_again(struct unbroken *call);

/* After one that failed with EINTR, and after one that did a part of its work: whether that was our
 * signals' doing alone. At most depth bytes of stack lie between the wrapper's frame and the
 * system call. */
bool unbroken_was_broken(const struct unbroken *call, size_t depth);
bool unbroken_was_cut(const struct unbroken *call);

/* Evaluates call until it was not broken by our signals alone, or must not go on. */
#define UNBROKEN_WHILE(depth, call, goes_on)                                                       \
    ({                                                                                             \
        int error_ = errno;                                                                        \
        struct unbroken state_ = unbroken_begin();                                                 \
        ssize_t result_;                                                                           \
        do                                                                                         \
            result_ = (call);                                                                      \
        while (result_ == -1 && errno == EINTR && unbroken_was_broken(&state_, depth) &&           \
               (goes_on) && unbroken_again(&state_));                                              \
        if (result_ != -1)                                                                         \
            errno = error_;                                                                        \
        result_;                                                                                   \
    })

#define UNBROKEN(call) UNBROKEN_WHILE(CALL_DEPTH, call, true)

/* When a wait ends, for a call that has to be told how long to wait. */
struct deadline {
    bool limited, again; /* again: the call was made already */
    clockid_t clock;
    const struct timespec *asked;
    struct timespec at;
};

/* NULL: never. */
struct deadline deadline_after(clockid_t clock, const struct timespec *wait);
struct deadline deadline_in_milliseconds(int milliseconds); /* not positive: never */

/* The time left in *left, or NULL for ever. The first time it is what was asked for, valid or not.
 */
const struct timespec *deadline_left(struct deadline *deadline, struct timespec *left);

/* The same in milliseconds, rounded up so that no wait ends early; whole is what was asked for. */
int deadline_milliseconds_left(struct deadline *deadline, int whole);

/* For calls on a socket, whose timeout, SO_RCVTIMEO or SO_SNDTIMEO, is not told with the call: the
 * milliseconds left of it, if the call began at begun by the coarse clock; negative: there is none.
 */
int timeout_left(int fd, int option, long long begun);

/* Waits until such a call may be made again. False, with errno as the call would set it, when it
 * must not. */
bool timeout_goes_on(int fd, int option, long long begun);

/* UNBROKEN for such calls. */
#define UNBROKEN_ON(fd, option, call)                                                              \
    ({                                                                                             \
        long long begun_ = clock_coarse_milliseconds();                                            \
        UNBROKEN_WHILE(CALL_DEPTH, call, timeout_goes_on(fd, option, begun_));                     \
    })

#endif
