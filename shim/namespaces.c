/* unshare and setns: the kernel moves only a process of one thread into another user namespace and
 * the like, and counts our workers, which the program does not know.
 *
 * So where it refuses, the workers end first. The next cycle makes new ones, and until then
 * whoever allocates goes on with this one.
 */
#include "real.h"

#include "cycle/worker.h"
#include "thread/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>

/* A handler of the program's may not allocate while workers are waited for; a stop may come. */
static bool dismiss_workers(void) {
    sigset_t all, before;
    if (worker_count() == 0 || !thread_in_own_process())
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    worker_dismiss();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return true;
}

/* EUSERS is what setns says of namespaces of time. */
static bool may_have_been_us(int result) {
    return result == -1 && (errno == EINVAL || errno == EUSERS);
}

#define ALONE(call)                                                                                \
    ({                                                                                             \
        int result_ = (call);                                                                      \
        may_have_been_us(result_) && dismiss_workers() ? (call) : result_;                         \
    })

TITHE_EXPORT int unshare(int flags) { return ALONE(REAL(unshare)(flags)); }

TITHE_EXPORT int setns(int fd, int kind) { return ALONE(REAL(setns)(fd, kind)); }
