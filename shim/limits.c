/* setrlimit(RLIMIT_AS) by the program itself: our reservation must not use up what it leaves.
 *
 * The heap reserves far more address space than it uses. When the program limits its own, the part
 * of the reservation beyond the limit's half goes back first. A child of vfork limits itself, not
 * the heap it shares.
 */

#include "real.h"

#include "heap/layout.h"
#include "heap/pages.h"
#include "thread/thread.h"

#include <sys/resource.h>
#include <unistd.h>

static void fit(int resource, const struct rlimit *limit) {
    if (resource != RLIMIT_AS || limit == NULL || limit->rlim_cur == RLIM_INFINITY)
        return;
    if (!thread_in_own_process() || !heap_start())
        return;
    pages_lock();
    heap_fit_address_space(limit->rlim_cur);
    pages_unlock();
}

TITHE_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
    fit(resource, limit);
    return REAL(setrlimit)(resource, limit);
}

TITHE_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit) {
    fit(resource, (const struct rlimit *)limit);
    return REAL(setrlimit64)(resource, limit);
}

TITHE_EXPORT int prlimit(pid_t process, enum __rlimit_resource resource, const struct rlimit *limit,
                         struct rlimit *old) {
    if (process == 0 || process == getpid())
        fit(resource, limit);
    return REAL(prlimit)(process, resource, limit, old);
}
