/* Log lines; see log.h. */
#include "os/log.h"

#include "os/section.h"
#include "os/syscall.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above what select(2) callers and shells' own redirections use. */
enum { LOG_LOWEST_FD = 200 };

static int log_fd = 2;
static bool wanted;

bool log_is_wanted(void) { return wanted; }

static void log_write(const char *format, va_list arguments) {
    static const char prefix[] = "tithe: ";
    char line[600];
    memcpy(line, prefix, sizeof prefix - 1);
    size_t room = sizeof line - sizeof prefix;
    int length = vsnprintf(line + sizeof prefix - 1, room, format, arguments);
    if (length < 0)
        return;
    if ((size_t)length >= room)
        length = room - 1;
    size_t total = sizeof prefix - 1 + length;
    line[total] = '\n';
    system_call(SYS_write, log_fd, line, total + 1);
}

void log_line(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_write(format, arguments);
    va_end(arguments);
}

void log_fatal(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_write(format, arguments);
    va_end(arguments);
    section_abandon();
    abort();
}

void log_keep_stderr(void) {
    wanted = true;
    long fd = system_call(SYS_fcntl, 2, F_DUPFD_CLOEXEC, LOG_LOWEST_FD);
    if (fd >= 0)
        log_fd = fd;
}

bool log_to_file(const char *path) {
    long fd =
        system_call(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) {
        log_line("cannot write the log to %s: %s", path, strerrorname_np(-fd));
        return false;
    }
    long high = system_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, LOG_LOWEST_FD);
    if (high >= 0) {
        system_call(SYS_close, fd);
        fd = high;
    }
    log_fd = fd;
    wanted = true;
    return true;
}
