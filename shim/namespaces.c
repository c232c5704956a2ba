/* unshare and setns: the kernel moves only a process of one thread into another user namespace and
 * the like, and counts our workers, which the program does not know.
 *
 * So where it refuses, the workers end first. The next cycle makes new ones, and until then
 * whoever allocates goes on with this one.
 */
#include "dismiss.h"
#include "real.h"

#include "os/clock.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>

/* EUSERS is what setns says of namespaces of time. */
static bool may_have_been_us(int result) {
    return result == -1 && (errno == EINVAL || errno == EUSERS);
}

/* A thread has told that it ends before the kernel has stopped counting it. */
enum { PATIENCE_MILLISECONDS = 50 };

#define ALONE(call)                                                                                \
    ({                                                                                             \
        int result_ = (call);                                                                      \
        if (may_have_been_us(result_) && dismiss_threads())                                        \
            for (int i_ = 0; may_have_been_us(result_ = (call)) && i_ < PATIENCE_MILLISECONDS;     \
                 i_++)                                                                             \
                clock_nap(1000000);                                                                \
        result_;                                                                                   \
    })

TITHE_EXPORT int unshare(int flags) { return ALONE(REAL(unshare)(flags)); }

TITHE_EXPORT int setns(int fd, int kind) { return ALONE(REAL(setns)(fd, kind)); }
