/* The socket, the thread and its loop; see listener.h.
 *
 * The protocol is one line each way: "check" is answered by "done NUMBER BLOCKS", or by "failed"
 * and a reason.
 */
#include "leak/listener.h"

#include "leak/check.h"
#include "leak/record.h"
#include "leak/writer.h"
#include "real.h"

#include "cycle/pace.h"
#include "heap/metadata.h"
#include "os/clock.h"
#include "os/handler.h"
#include "os/log.h"
#include "os/options.h"
#include "os/permitted.h"
#include "os/signal.h"
#include "os/syscall.h"
#include "os/tasks.h"
#include "os/worker_thread.h"
#include "thread/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    STACK_BYTES = 192 << 10,
    OWN_DESCRIPTORS_FROM = 400, /* see os/descriptor.c */
    LOOK_MILLISECONDS = 100,    /* how long a signal or the end may have to wait for us */
    CHILD_PATIENCE = 500        /* milliseconds after which a forked child has a listener, too */
};

volatile bool listener_is_due;

static struct {
    struct thread *thread;
    uintptr_t block;
    int socket;
    int process;
    volatile bool ending;
    volatile unsigned due_at;    /* milliseconds of record_time */
    volatile bool grown;         /* a check is wanted because of that */
    volatile sig_atomic_t asked; /* by signal: a check */
    volatile AO_TS_t starting;
} listener = {.starting = AO_TS_INITIALIZER};

static void on_check_signal(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    listener.asked = 1;
    handler_hide(context);
}

static bool is_of_our_user(int connection) {
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    if (system_call(SYS_getsockopt, connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0)
        return false;
    return peer.uid == 0 || peer.uid == (uid_t)system_call(SYS_geteuid);
}

static void answer(int connection) {
    char line[128] = "";
    unsigned number = 0;
    long got = system_call(SYS_read, connection, line, sizeof line - 1);
    if (got <= 0 || !is_of_our_user(connection))
        return;
    if (strncmp(line, "check\n", 6) != 0) {
        snprintf(line, sizeof line, "failed unknown request\n");
    } else {
        long blocks = check_in_background(CHECK_REQUEST, &number);
        if (blocks >= 0)
            snprintf(line, sizeof line, "done %u %ld\n", number, blocks);
        else
            snprintf(line, sizeof line,
                     "failed not all threads or roots could be seen, or the "
                     "check file could not be written\n");
    }
    system_call(SYS_sendto, connection, line, strlen(line), MSG_NOSIGNAL, 0, 0);
}

static void accept_one(void) {
    struct timeval patience = {1, 0};
    long connection = system_call(SYS_accept4, listener.socket, 0, 0, SOCK_CLOEXEC);
    if (connection < 0)
        return;
    system_call(SYS_setsockopt, connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    answer(connection);
    system_call(SYS_close, connection);
}

static void look_around(long long *next_check) {
    unsigned number;
    if (listener.asked) {
        listener.asked = 0;
        check_in_background(CHECK_SIGNAL, &number);
    }
    if (listener.grown && pace_due()) {
        check_in_background(CHECK_GROWTH, &number);
    }
    listener.grown = false;
    if (options.check_every > 0 && clock_coarse_milliseconds() >= *next_check) {
        check_in_background(CHECK_TIMER, &number);
        *next_check = clock_coarse_milliseconds() + options.check_every * 1000;
    }
}

/* Copies of the program's files would keep its pipes and sockets open. */
static void part_with_files(void) {
    system_call(SYS_unshare, CLONE_FILES);
    system_call(SYS_close_range, 0, OWN_DESCRIPTORS_FROM - 1, 0);
}

static void run(void *context) {
    long long next_check = clock_coarse_milliseconds() + options.check_every * 1000;
    (void)context;
    worker_thread_settle("tithe-leaks", 0);
    part_with_files();
    while (!listener.ending) {
        struct pollfd waiting = {listener.socket, POLLIN, 0};
        const struct timespec look = {0, LOOK_MILLISECONDS * 1000000};
        long ready = system_call(SYS_ppoll, &waiting, 1, &look, 0, 0);
        if (ready > 0 && (waiting.revents & POLLIN))
            accept_one();
        look_around(&next_check);
    }
}

/* Addresses of sockets are short, so a long path goes by way of the open directory. */
static void name_socket(struct sockaddr_un *address) {
    char directory[64];
    size_t length = strlen(options.leaks);
    address->sun_family = AF_UNIX;
    if (length < sizeof directory)
        memcpy(directory, options.leaks, length + 1);
    else
        snprintf(directory, sizeof directory, "/proc/self/fd/%d", writer_directory());
    snprintf(address->sun_path, sizeof address->sun_path, "%s/%d.socket", directory,
             tasks_process());
}

/* At a number out of the program's way. */
static int open_socket(void) {
    struct sockaddr_un address = {0};
    name_socket(&address);
    long fd = system_call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    long high = system_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, OWN_DESCRIPTORS_FROM);
    system_call(SYS_close, fd);
    if (high < 0)
        return -1;
    system_call(SYS_unlinkat, AT_FDCWD, address.sun_path, 0);
    if (system_call(SYS_bind, high, &address, sizeof address) != 0 ||
        system_call(SYS_listen, high, 4) != 0) {
        system_call(SYS_close, high);
        return -1;
    }
    return high;
}

static bool make_thread(void) {
    lock_take(&thread_registry_lock);
    if (listener.block == 0)
        listener.block = (uintptr_t)metadata_take(worker_thread_block_bytes(STACK_BYTES));
    listener.thread = listener.block ? thread_add_collector() : NULL;
    bool made =
        listener.thread && worker_thread_start(listener.block, STACK_BYTES, run, NULL,
                                               (volatile unsigned *)&listener.thread->tid) == 0;
    if (listener.thread && !made)
        thread_drop_collector(listener.thread);
    lock_give(&thread_registry_lock);
    return made;
}

/* The thread has a copy of the socket; the program's own goes once that is made. */
static void start(void) {
    if (AO_test_and_set_full(&listener.starting) == AO_TS_SET)
        return;
    listener_is_due = false;
    listener.ending = false;
    listener.process = tasks_process();
    permitted_find_out();
    listener.socket = permitted(PERMITTED_SOCKETS) ? open_socket() : -1;
    if (listener.socket < 0 || !make_thread()) {
        listener.thread = NULL;
        log_line("no leak check can be asked for from outside: there is no socket in %s",
                 options.leaks);
    }
    AO_CLEAR(&listener.starting);
}

bool listener_handles(const struct sigaction *action) {
    return action->sa_sigaction == on_check_signal;
}

static void handle(int number) {
    struct sigaction action = {.sa_sigaction = on_check_signal,
                               .sa_flags = SA_RESTART | SA_SIGINFO},
                     before;
    sigfillset(&action.sa_mask);
    if (REAL(sigaction)(number, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
        REAL(sigaction)(number, &action, NULL);
}

/* A fault that is handled comes again at once, for ever. */
void listener_start(void) {
    if (signal_tells_of_fault(options.check_signal))
        log_line("check_signal=%zu: that signal tells of a fault", options.check_signal);
    else if (options.check_signal > 0)
        handle(options.check_signal);
    start();
}

void listener_make_when_due(void) {
    if ((int)(record_time() - listener.due_at) >= 0) {
        check_start();
        start();
    }
}

bool listener_is_there(void) { return listener.thread && listener.process == tasks_process(); }

bool listener_ask_for_growth(void) {
    if (!listener_is_there())
        return false;
    listener.grown = true;
    return true;
}

void listener_dismiss(void) {
    struct sockaddr_un address = {0};
    if (!listener_is_there())
        return;
    listener.ending = true;
    volatile unsigned *tid = (volatile unsigned *)&listener.thread->tid;
    unsigned seen;
    while ((seen = AO_int_load_acquire(tid)) != 0)
        park_wait_shared(tid, seen);
    lock_take(&thread_registry_lock);
    thread_drop_collector(listener.thread);
    lock_give(&thread_registry_lock);
    listener.thread = NULL;
    system_call(SYS_close, listener.socket);
    name_socket(&address);
    system_call(SYS_unlinkat, AT_FDCWD, address.sun_path, 0);
    listener.due_at = record_time();
    listener_is_due = true;
}

void listener_after_fork(void) {
    if (listener.thread)
        system_call(SYS_close, listener.socket);
    listener.thread = NULL;
    AO_CLEAR(&listener.starting);
    listener.asked = 0;
    listener.grown = false;
    listener.due_at = record_time() + CHILD_PATIENCE;
    listener_is_due = true;
}
