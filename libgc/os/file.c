/* Open, read, close; see file.h. */
#include "os/file.h"

#include "os/syscall.h"

#include <fcntl.h>

bool file_read(const char *path, char *text, size_t room) {
    long fd = system_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    long length = system_call(SYS_read, fd, text, room - 1);
    system_call(SYS_close, fd);
    text[length > 0 ? length : 0] = 0;
    return length > 0;
}
