/* Threads from /proc/self/task; see tasks.h. */
#include "os/tasks.h"

#include "os/syscall.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int tasks_self(void) { return system_call(SYS_gettid); }
int tasks_process(void) { return system_call(SYS_getpid); }

/* The kernel reports the directory's link count as the number of threads plus two. */
int tasks_count(void) {
    struct stat status;
#if defined(__x86_64__)
    long failed = system_call(SYS_stat, "/proc/self/task", &status);
#else
    long failed = system_call(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &status, 0);
#endif
    return failed || status.st_nlink < 3 ? -1 : (int)status.st_nlink - 2;
}

static bool visit_entries(char *buffer, long length, bool (*visit)(int, void *), void *context) {
    for (long at = 0; at < length;) {
        struct dirent64 *entry = (struct dirent64 *)(buffer + at);
        at += entry->d_reclen;
        if (entry->d_name[0] != '.' && !visit(atoi(entry->d_name), context))
            return false;
    }
    return true;
}

bool tasks_each(bool (*visit)(int tid, void *context), void *context) {
    long fd =
        system_call(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    _Alignas(struct dirent64) char buffer[4096];
    bool going = true;
    long length;
    while (going && (length = system_call(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
        going = visit_entries(buffer, length, visit, context);
    system_call(SYS_close, fd);
    return going;
}

/* Reads a file about a thread; false when the thread is gone. */
static bool task_file(int tid, const char *name, char *text, size_t room) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, name);
    long fd = system_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    long length = system_call(SYS_read, fd, text, room - 1);
    system_call(SYS_close, fd);
    text[length > 0 ? length : 0] = 0;
    return length > 0;
}

char tasks_state(int tid) {
    char text[512];
    if (!task_file(tid, "stat", text, sizeof text))
        return 0;
    /* The command name may contain anything, so the state is what follows the last ')'. */
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' ? end[2] : 0;
}

bool tasks_block(int tid, int signal) {
    static const char field[] = "\nSigBlk:";
    char text[4096];
    if (!task_file(tid, "status", text, sizeof text))
        return false;
    const char *value = strstr(text, field);
    return value && (strtoull(value + sizeof field - 1, NULL, 16) >> (signal - 1) & 1);
}
