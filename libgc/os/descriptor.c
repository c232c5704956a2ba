/* High numbers and remembered identity; see descriptor.h. */
#include "os/descriptor.h"

#include "os/syscall.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Above what shells and select(2) callers use, below the usual limit of 1024; where the limit is
 * lower, above what a program opens first and expects to get the number of. */
enum { LOWEST_NUMBER = 400, LOWEST_AT_LEAST = 8 };

static bool identify(long fd, uint64_t *device, uint64_t *inode) {
    struct stat status;
    if (system_call(SYS_fstat, fd, &status) != 0)
        return false;
    *device = status.st_dev;
    *inode = status.st_ino;
    return true;
}

bool descriptor_adopt(struct descriptor *descriptor, long fd) {
    descriptor->fd = -1;
    if (fd < 0)
        return false;
    long high = -1;
    for (long least = LOWEST_NUMBER; high < 0 && least >= LOWEST_AT_LEAST; least /= 2)
        high = system_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least);
    system_call(SYS_close, fd);
    if (high < 0)
        return false;
    descriptor->fd = high;
    if (identify(high, &descriptor->device, &descriptor->inode))
        return true;
    system_call(SYS_close, high);
    descriptor->fd = -1;
    return false;
}

bool descriptor_open(struct descriptor *descriptor, const char *path) {
    return descriptor_adopt(descriptor,
                            system_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0));
}

bool descriptor_is_open(const struct descriptor *descriptor) {
    uint64_t device, inode;
    return descriptor->fd >= 0 && identify(descriptor->fd, &device, &inode) &&
           device == descriptor->device && inode == descriptor->inode;
}

void descriptor_close(struct descriptor *descriptor) {
    if (descriptor_is_open(descriptor))
        system_call(SYS_close, descriptor->fd);
    descriptor->fd = -1;
}
