/* What the program does to its own address space as a whole: setrlimit(RLIMIT_AS) and mlockall. The
 * heap reserves far more than it uses, and none of that must stand in the way.
 *
 * When the program limits its address space, the part of the reservation beyond the limit's half
 * goes back, and is reserved anew when the limit is lifted. A child of vfork limits itself, not the
 * heap it shares.
 */

#include "real.h"

#include "heap/layout.h"
#include "heap/pages.h"
#include "os/syscall.h"
#include "thread/thread.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { REGIONS = 4 };

/* The objects, by far the largest, first. All under the lock of pages.h. */
static struct vm_region *const regions[REGIONS] = {&heap.objects, &heap.page_span_table,
                                                   &heap.page_class_table, &heap.metadata};
static size_t most[REGIONS]; /* bytes ever reserved */

static void note_reserved(void) {
    for (int i = 0; i < REGIONS; i++)
        if (most[i] < regions[i]->reserved)
            most[i] = regions[i]->reserved;
}

static void trim(size_t limit) {
    note_reserved();
    heap_fit_address_space(limit);
}

static void trim_all(void) {
    note_reserved();
    for (int i = 0; i < REGIONS; i++)
        vm_region_trim(regions[i], 0);
}

static bool lengthen(struct vm_region *region, size_t bytes) {
    if (region->reserved >= bytes)
        return true;
    uintptr_t end = region->start + region->reserved;
    long got =
        system_call(SYS_mmap, end, bytes - region->reserved, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == (long)end)
        region->reserved = bytes;
    else if (got > 0)
        system_call(SYS_munmap, got, bytes - region->reserved);
    return got == (long)end;
}

/* All of it or, where something else lies in the way now, nothing: the tables must cover what the
 * objects may use. */
static void reserve_again(void) {
    size_t before[REGIONS];
    for (int i = 0; i < REGIONS; i++) {
        before[i] = regions[i]->reserved;
        if (lengthen(regions[i], most[i]))
            continue;
        while (i-- > 0)
            vm_region_trim(regions[i], before[i]);
        return;
    }
}

static bool heap_is_ours(void) { return thread_in_own_process() && heap_start(); }

/* Only what the kernel accepted counts; until the heap fits it does not grow. */
#define FITTED(concerns, limit, call)                                                              \
    ({                                                                                             \
        bool fits_ = (concerns) && heap_is_ours();                                                 \
        if (fits_)                                                                                 \
            pages_lock();                                                                          \
        int result_ = (call);                                                                      \
        if (fits_ && result_ == 0 && (limit)->rlim_cur == RLIM_INFINITY)                           \
            reserve_again();                                                                       \
        else if (fits_ && result_ == 0)                                                            \
            trim((limit)->rlim_cur);                                                               \
        if (fits_)                                                                                 \
            pages_unlock();                                                                        \
        result_;                                                                                   \
    })

TITHE_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
    return FITTED(resource == RLIMIT_AS, limit, REAL(setrlimit)(resource, limit));
}

TITHE_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit) {
    return FITTED(resource == RLIMIT_AS, limit, REAL(setrlimit64)(resource, limit));
}

static bool concerns_us(pid_t process, int resource, const void *limit) {
    return resource == RLIMIT_AS && limit && (process == 0 || process == getpid());
}

TITHE_EXPORT int prlimit(pid_t process, enum __rlimit_resource resource, const struct rlimit *limit,
                         struct rlimit *old) {
    return FITTED(concerns_us(process, resource, limit), limit,
                  REAL(prlimit)(process, resource, limit, old));
}

TITHE_EXPORT int prlimit64(pid_t process, enum __rlimit_resource resource,
                           const struct rlimit64 *limit, struct rlimit64 *old) {
    return FITTED(concerns_us(process, resource, limit), limit,
                  REAL(prlimit64)(process, resource, limit, old));
}

/* Without privileges no more may be locked than RLIMIT_MEMLOCK, and what is only reserved counts,
 * too. So the reservation steps aside while what there is gets locked, and stays unlocked. */
TITHE_EXPORT int mlockall(int flags) {
    int result = REAL(mlockall)(flags);
    if (result == 0 || errno != ENOMEM || !(flags & MCL_CURRENT) || !heap_is_ours())
        return result;
    pages_lock();
    trim_all();
    result = REAL(mlockall)(flags & ~MCL_FUTURE);
    int failure = errno;
    reserve_again();
    pages_unlock();
    errno = failure;
    if (result == 0 && (flags & MCL_FUTURE))
        result = REAL(mlockall)(flags & ~MCL_CURRENT);
    return result;
}
