/* temporary, replaced by helper's */
#include "os/dirty.h"
#include "os/options.h"
#include "os/syscall.h"
#include <atomic_ops.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
struct scan_argument {
    uint64_t size, flags, start, end, walk_end, vector, vector_length, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
struct scan_region {
    uint64_t start, end, categories;
};
enum { WPALLOWED = 1, WRITTEN = 2, FILEPAGE = 4, PRESENT = 8, SWAPPED = 16, ZERO = 32 };
#define SCAN_IOCTL 0xc0606610u
static long ufd = -1, pfd = -1;
static int backend = -1;
enum dirty_backend dirty_start(void) {
    if (backend >= 0)
        return backend;
    backend = DIRTY_NONE;
    if (getenv("TITHE_DIRTY_NONE"))
        return 0;
    ufd = system_call(SYS_userfaultfd, O_CLOEXEC | 1);
    if (ufd < 0)
        return 0;
    struct uffdio_api api = {.api = 0xAA, .features = (1 << 15) | (1 << 13) | (1 << 12)};
    if (system_call(SYS_ioctl, ufd, UFFDIO_API, &api))
        return 0;
    pfd = system_call(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
    return backend = DIRTY_USERFAULT;
}
const char *dirty_name(void) { return backend == DIRTY_USERFAULT ? "uffd" : "none"; }
void dirty_after_fork(void) {
    if (ufd >= 0) {
        system_call(SYS_close, ufd);
        system_call(SYS_close, pfd);
    }
    ufd = pfd = -1;
    backend = -1;
}
bool dirty_arm(void) { return backend == DIRTY_USERFAULT; }
bool dirty_track(uintptr_t s, uintptr_t e) {
    s &= ~4095ul;
    e = (e + 4095) & ~4095ul;
    struct uffdio_register r = {.range = {s, e - s}, .mode = UFFDIO_REGISTER_MODE_WP};
    return system_call(SYS_ioctl, ufd, UFFDIO_REGISTER, &r) == 0;
}
typedef void (*dvis)(uintptr_t, uintptr_t, void *);
static bool scan(uintptr_t s, uintptr_t e, uint64_t flags, uint64_t inv, uint64_t mask,
                 uint64_t any, uint64_t ret, uint64_t need, uint64_t avoid, dvis v, void *c) {
    struct scan_region r[256];
    s &= ~4095ul;
    e = (e + 4095) & ~4095ul;
    while (s < e) {
        struct scan_argument a = {.size = sizeof a,
                                  .flags = flags,
                                  .start = s,
                                  .end = e,
                                  .vector = (uintptr_t)r,
                                  .vector_length = 256,
                                  .category_inverted = inv,
                                  .category_mask = mask,
                                  .category_anyof_mask = any,
                                  .return_mask = ret};
        long n = system_call(SYS_ioctl, pfd, SCAN_IOCTL, &a);
        if (n < 0)
            return false;
        for (long i = 0; i < n; i++)
            if ((need == 0 || (r[i].categories & need)) && !(r[i].categories & avoid))
                v(r[i].start, r[i].end, c);
        s = a.walk_end;
    }
    return true;
}
bool dirty_take(uintptr_t s, uintptr_t e, dvis v, void *c) {
    return scan(s, e, 3, 0, WRITTEN, PRESENT | SWAPPED, WRITTEN, 0, 0, v, c);
}
bool dirty_peek(uintptr_t s, uintptr_t e, dvis v, void *c) {
    return scan(s, e, 2, 0, WRITTEN, 0, WRITTEN, 0, 0, v, c);
}
bool dirty_peek_any(uintptr_t s, uintptr_t e, bool p, dvis v, void *c) {
    return scan(s, e, 0, WPALLOWED, 0, WRITTEN | WPALLOWED,
                PRESENT | SWAPPED | WRITTEN | WPALLOWED | FILEPAGE | ZERO, PRESENT | SWAPPED,
                ZERO | (p ? FILEPAGE : 0), v, c);
}
