/* Trials in a child; see permitted.h.
 *
 * The child is a copy of its own: one that shared our memory would, dumping core, take us with it
 * (Linux before 5.16). It writes to one shared page which facility it is about to try and which it
 * has tried; when it dies of one, the next child goes on behind that. Its end sends no signal, and
 * only who waits for children of clone finds it.
 */
#include "os/permitted.h"

#include "os/file.h"
#include "os/limits.h"
#include "os/park.h"
#include "os/signal.h"
#include "os/syscall.h"
#include "os/tasks.h"
#include "os/worker_thread.h"

#include <atomic_ops.h>
#include <errno.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { TRIAL_STACK_BYTES = 65536 };

/* In memory that the child shares with us, and with its own stack's threads. */
struct trials {
    volatile int tried; /* how many trials were begun; the child */
    volatile bool permitted[PERMISSIONS];
    volatile unsigned tid; /* of the thread that is made on trial; the kernel clears it */
    volatile bool thread_was_placed;
    _Alignas(16) unsigned char stack[TRIAL_STACK_BYTES];
};

enum finding {
    FINDING_NONE,
    FINDING_NO_FILTER, /* one that comes is the program's own */
    FINDING_TRIED
};

static volatile unsigned finding; /* enum finding; permitted_find_out, after the rest; release */
static bool results[PERMISSIONS];

static bool try_reading(struct trials *trials) {
    char from = 1, to = 0;
    struct iovec local = {&to, 1}, remote = {&from, 1};
    (void)trials;
    return system_call(SYS_process_vm_readv, tasks_self(), &local, 1, &remote, 1, 0) == 1;
}

static bool try_userfault(struct trials *trials) {
    struct uffdio_api api = {.api = UFFD_API};
    long fd = system_call(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);
    (void)trials;
    return fd >= 0 && system_call(SYS_ioctl, fd, UFFDIO_API, &api) == 0;
}

/* What a worker does first, and is done to helpers before a stop. */
static void place_thread(void *context) {
    struct trials *trials = context;
    worker_thread_settle("tithe-trial", 19);
    worker_thread_keep_off(tasks_self(), tasks_self());
    trials->thread_was_placed = true;
}

static bool try_threads(struct trials *trials) {
    uintptr_t top = (uintptr_t)trials->stack + sizeof trials->stack;
    unsigned tid;
    if (worker_thread_try(top, place_thread, trials, &trials->tid) != 0)
        return false;
    while ((tid = AO_int_load_acquire(&trials->tid)) != 0)
        park_wait_shared(&trials->tid, tid);
    return trials->thread_was_placed;
}

static bool try_sockets(struct trials *trials) {
    struct sockaddr_un address = {.sun_family = AF_UNIX}; /* the kernel finds a name */
    long fd = system_call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)trials;
    return fd >= 0 && system_call(SYS_bind, fd, &address, sizeof address.sun_family) == 0 &&
           system_call(SYS_listen, fd, 1) == 0 && system_call(SYS_unshare, CLONE_FILES) == 0;
}

/* Going on behind the one that the last child died of. */
static void try_rest(struct trials *trials) {
    static bool (*const tries[PERMISSIONS])(struct trials *) = {
        [PERMITTED_READING] = try_reading,
        [PERMITTED_USERFAULT] = try_userfault,
        [PERMITTED_THREADS] = try_threads,
        [PERMITTED_SOCKETS] = try_sockets,
    };
    while (trials->tried < PERMISSIONS) {
        int which = trials->tried++;
        trials->permitted[which] = tries[which](trials);
    }
}

/* The number behind a field's name in the status of a process; -1 when it is not to be had. */
static long status_number(const char *process, const char *field) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%s/status", process);
    const char *found = file_read(path, text, sizeof text) ? strstr(text, field) : NULL;
    return found ? strtol(found + strlen(field), NULL, 10) : -1;
}

/* To ask whether a process may be made, one has to make it. So there must be proof: a filter that
 * lets our parent live made us a child of it, there are threads, or this is the first process of a
 * container, which nobody starts where nothing can be started. */
static bool may_have_children(void) {
    char parent[32];
    long number = status_number("self", "\nPPid:");
    if (tasks_count() > 1 || tasks_process() == 1 || number == 0)
        return true;
    snprintf(parent, sizeof parent, "%ld", number);
    return number > 0 && status_number(parent, "\nSeccomp:") > 0;
}

/* False when no child can be made. */
static bool try_in_child(struct trials *trials) {
    long child = system_call(SYS_clone, 0, 0, 0, 0, 0);
    if (child == 0) {
        try_rest(trials);
        for (;;)
            system_call(SYS_exit_group, 0);
    }
    long ended = child;
    do {
        if (child > 0)
            ended = system_call(SYS_wait4, child, NULL, __WCLONE, NULL);
    } while (child > 0 && ended == -EINTR);
    return ended == child && child > 0;
}

static void make_trials(void) {
    signal_set all = ~(signal_set)0, before;
    long address = system_call(SYS_mmap, 0, sizeof(struct trials), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (address < 0)
        return;
    struct trials *trials = (struct trials *)address;
    system_call(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof all);
    while (trials->tried < PERMISSIONS && try_in_child(trials))
        continue;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    for (int i = 0; i < PERMISSIONS; i++)
        results[i] = trials->permitted[i];
    system_call(SYS_munmap, trials, sizeof *trials);
}

void permitted_find_out(void) {
    if (AO_int_load_acquire(&finding) != FINDING_NONE)
        return;
    bool filtered = limits_filtered();
    if (filtered && may_have_children())
        make_trials();
    AO_int_store_release(&finding, filtered ? FINDING_TRIED : FINDING_NO_FILTER);
}

bool permitted(enum permission permission) {
    return !limits_filtered() ||
           (AO_int_load_acquire(&finding) == FINDING_TRIED && results[permission]);
}
