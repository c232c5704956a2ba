/* unshare and setns: the kernel moves only a process of one thread into another user namespace and
 * the like, and counts our workers, which the program does not know.
 *
 * So where it refuses, the workers end first. The next cycle makes new ones, and until then
 * whoever allocates goes on with this one.
 */
#include "leak/listener.h"
#include "real.h"

#include "cycle/worker.h"
#include "os/clock.h"
#include "thread/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>

/* A handler of the program's may not allocate while workers are waited for; a stop may come. */
static bool dismiss_workers(void) {
    sigset_t all, before;
    if ((worker_count() == 0 && !listener_is_there()) || !thread_in_own_process())
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    worker_dismiss();
    listener_dismiss();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return true;
}

/* EUSERS is what setns says of namespaces of time. */
static bool may_have_been_us(int result) {
    return result == -1 && (errno == EINVAL || errno == EUSERS);
}

/* A thread has told that it ends before the kernel has stopped counting it. */
enum { PATIENCE_MILLISECONDS = 50 };

#define ALONE(call)                                                                                \
    ({                                                                                             \
        int result_ = (call);                                                                      \
        if (may_have_been_us(result_) && dismiss_workers())                                        \
            for (int i_ = 0; may_have_been_us(result_ = (call)) && i_ < PATIENCE_MILLISECONDS;     \
                 i_++)                                                                             \
                clock_nap(1000000);                                                                \
        result_;                                                                                   \
    })

TITHE_EXPORT int unshare(int flags) { return ALONE(REAL(unshare)(flags)); }

TITHE_EXPORT int setns(int fd, int kind) { return ALONE(REAL(setns)(fd, kind)); }
