/* Threads from /proc/self/task; see tasks.h. */
#include "os/tasks.h"

#include "os/descriptor.h"
#include "os/memory.h"
#include "os/signal.h"
#include "os/syscall.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

static const char path[] = "/proc/self/task";
static struct descriptor directory = DESCRIPTOR_CLOSED; /* opened by a thread of the program's */

void tasks_open(void) {
    if (!descriptor_is_open(&directory))
        descriptor_open(&directory, path);
}

void tasks_after_fork(void) { descriptor_close(&directory); }

/* A program that has changed its root directory has no other way there. */
static long open_below(const char *name, int flags) {
    if (descriptor_is_open(&directory))
        return system_call(SYS_openat, directory.fd, name, flags | O_CLOEXEC, 0);
    char whole[96];
    snprintf(whole, sizeof whole, "%s/%s", path, name);
    return system_call(SYS_openat, AT_FDCWD, whole, flags | O_CLOEXEC, 0);
}

int tasks_self(void) { return system_call(SYS_gettid); }
int tasks_process(void) { return system_call(SYS_getpid); }

/* The kernel reports the directory's link count as the number of threads plus two. */
int tasks_count(void) {
    struct stat status;
    bool open = descriptor_is_open(&directory);
#if defined(__x86_64__)
    long failed =
        open ? system_call(SYS_fstat, directory.fd, &status) : system_call(SYS_stat, path, &status);
#else
    long failed = open ? system_call(SYS_fstat, directory.fd, &status)
                       : system_call(SYS_newfstatat, AT_FDCWD, path, &status, 0);
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

/* The directory that is open serves, so that a full table of files does not matter. */
bool tasks_each(bool (*visit)(int tid, void *context), void *context) {
    bool is_kept = descriptor_is_open(&directory);
    long fd = is_kept ? directory.fd : open_below(".", O_RDONLY | O_DIRECTORY);
    if (fd < 0 || system_call(SYS_lseek, fd, 0, SEEK_SET) != 0)
        return false;
    _Alignas(struct dirent64) char buffer[4096];
    bool going = true;
    long length;
    while (going && (length = system_call(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
        going = visit_entries(buffer, length, visit, context);
    if (!is_kept)
        system_call(SYS_close, fd);
    return going && length == 0;
}

/* Reads a file about a thread; false when it cannot be read, for whatever reason. */
static bool task_file(int tid, const char *name, char *text, size_t room) {
    char below[64];
    snprintf(below, sizeof below, "%d/%s", tid, name);
    long fd = open_below(below, O_RDONLY);
    if (fd < 0)
        return false;
    long length = system_call(SYS_read, fd, text, room - 1);
    system_call(SYS_close, fd);
    text[length > 0 ? length : 0] = 0;
    return length > 0;
}

/* PF_IO_WORKER and PF_USER_WORKER of linux/sched.h: workers of io_uring, and of vhost. */
#define KERNEL_WORKER_FLAGS (0x10ul | 0x4000ul)

enum { FIELDS_TO_FLAGS = 6 }; /* in proc(5), from the state on */

static bool is_kernel_worker(const char *state) {
    for (int field = 0; field < FIELDS_TO_FLAGS && state; field++)
        state = strchr(state + 1, ' ');
    return state && strtoul(state, NULL, 10) & KERNEL_WORKER_FLAGS;
}

char tasks_state(int tid) {
    char text[512];
    if (!task_file(tid, "stat", text, sizeof text))
        return 0;
    /* The command name may contain anything, so the state is what follows the last ')'. */
    const char *end = strrchr(text, ')');
    if (end == NULL || end[1] != ' ')
        return 0;
    return is_kernel_worker(end + 2) ? 'K' : end[2];
}

/* A thread that has ended, but is still known, as the main thread is while others run, has no
 * memory any more. That can be asked without opening a file. */
static bool has_no_memory(int tid) {
    char byte = 0, copy;
    struct iovec from = {&byte, 1}, to = {&copy, 1};
    return system_call(SYS_process_vm_readv, tid, &to, 1, &from, 1, 0) == -ESRCH;
}

static bool is_dead(int tid, char state) {
    return state == 'Z' || state == 'X' ||
           (state == 0 && !memory_is_refused() && has_no_memory(tid));
}

static bool is_unknown(int tid) {
    return system_call(SYS_tgkill, tasks_process(), tid, 0) == -ESRCH;
}

bool tasks_is_gone(int tid) { return is_unknown(tid) || is_dead(tid, tasks_state(tid)); }

bool tasks_status(int tid, char *text, size_t room) { return task_file(tid, "status", text, room); }

/* Name begins with a line's end and ends with a colon. */
static unsigned long status_number(const char *text, const char *name, int base) {
    const char *line = strstr(text, name);
    return line ? strtoul(line + strlen(name), NULL, base) : 0;
}

bool tasks_look(int tid, struct task_look *look) {
    static const char state[] = "\nState:\t";
    char text[4096];
    if (!tasks_status(tid, text, sizeof text))
        return false;
    const char *line = strstr(text, state);
    look->state = line ? line[sizeof state - 1] : 0;
    look->pending = status_number(text, "\nSigPnd:", 16);
    look->blocked = status_number(text, "\nSigBlk:", 16);
    look->switches = status_number(text, "\nvoluntary_ctxt_switches:", 10) +
                     status_number(text, "\nnonvoluntary_ctxt_switches:", 10);
    return line != NULL;
}

bool tasks_block(int tid, int signal) {
    struct task_look look;
    return tasks_look(tid, &look) && (look.blocked >> (signal - 1) & 1);
}

/* Older kernels mean other things by the flags, but not in threads that block libc's own signals.
 */
bool tasks_needs_no_stop(int tid) {
    if (is_unknown(tid))
        return true;
    char state = tasks_state(tid);
    return state == 'K' ? tasks_block(tid, SIGNAL_BORROWED) : is_dead(tid, state);
}
