/* Where an unchanged program could stumble over the shim: loaders' locks, fork handlers, calls that
 * signals break under other names, limits, namespaces, merged maps. Run under tithe, with
 * HAZARDS_LIBRARY naming the library made of test/shim_hazards_library.c.
 */
#include "suite.h"

#include "tithe.h"

#include <aio.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static void require_whole_child(void) {
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(tithe_collect() ? 42 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

START_TEST(a_constructor_may_wait_for_a_thread) {
    void *library = dlopen(getenv("HAZARDS_LIBRARY"), RTLD_NOW);
    ck_assert_msg(library != NULL, "%s", dlerror());
    require_whole_child();
    dlclose(library);
    ck_assert_ptr_null(dlopen(getenv("HAZARDS_LIBRARY"), RTLD_NOW | RTLD_NOLOAD));
    require_whole_child();
}
END_TEST

/* Both binding deep, as extensions of PHP do, and asking libc itself lead past symbol order. */
static void exchange_blocks(void *library, const char *make_name, const char *free_name) {
    void *(*make)(size_t) = (void *(*)(size_t))dlsym(library, make_name);
    void (*release)(void *) = (void (*)(void *))dlsym(library, free_name);
    ck_assert(make && release);
    for (size_t bytes = 1; bytes < 1 << 20; bytes *= 3) {
        void *theirs = make(bytes), *ours = malloc(bytes);
        ck_assert_uint_ge(malloc_usable_size(theirs), bytes);
        theirs = realloc(theirs, 2 * bytes);
        memset(theirs, 1, 2 * bytes);
        free(theirs);
        release(ours);
    }
}

START_TEST(who_binds_deep_has_the_same_malloc) {
    void *library = dlopen(getenv("HAZARDS_LIBRARY"), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    ck_assert_msg(library != NULL, "%s", dlerror());
    exchange_blocks(library, "library_make", "library_free");
    dlclose(library);
    exchange_blocks(dlopen("libc.so.6", RTLD_NOW), "malloc", "free");
}
END_TEST

/* What runs before any constructor may register handlers before the shim does. */
static volatile bool handlers_allocate;
static void *forked[64];
static void allocate_in_handler(void) {
    if (!handlers_allocate)
        return;
    for (size_t i = 0; i < sizeof forked / sizeof *forked; i++) {
        free(forked[i]);
        forked[i] = malloc(40000 + i * 64);
    }
}
static void register_handlers(void) {
    pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler);
}
__attribute__((section(".preinit_array"),
               used)) static void (*const before_all)(void) = register_handlers;

START_TEST(early_fork_handlers_may_allocate) {
    handlers_allocate = true;
    for (int i = 0; i < 3; i++)
        require_whole_child();
    handlers_allocate = false;
}
END_TEST

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

/* Another thread collects again and again while this one is blocked. */
static volatile bool finish;
static pthread_t collecting;
static void *collect_always(void *argument) {
    while (!finish) {
        tithe_collect();
        usleep(500);
    }
    return argument;
}
/* The alarm is for the thread that waits for it. */
static void block_alarm(void) {
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
}
static void start_collecting(void) {
    block_alarm();
    ck_assert_int_eq(pthread_create(&collecting, NULL, collect_always, NULL), 0);
}
static void stop_collecting(void) {
    finish = true;
    pthread_join(collecting, NULL);
}

/* Each ends by its timeout, and says whether it did so in the way it should. */
enum { BLOCK_MILLISECONDS = 150 };
static const struct timespec block_time = {0, BLOCK_MILLISECONDS * 1000000l};
static int ends[2]; /* connected sockets on which nothing arrives */

static bool is_timeout(ssize_t result) { return result == -1 && errno == EAGAIN; }

static bool block_poll(void) {
    extern int __poll_chk(struct pollfd *, nfds_t, int, size_t);
    struct pollfd entry = {.fd = ends[0], .events = POLLIN};
    return __poll_chk(&entry, 1, BLOCK_MILLISECONDS, sizeof entry) == 0;
}
static bool block_ppoll(void) {
    extern int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *,
                           size_t);
    struct pollfd entry = {.fd = ends[0], .events = POLLIN};
    return __ppoll_chk(&entry, 1, &block_time, NULL, sizeof entry) == 0;
}
static bool block_recv(void) {
    extern ssize_t __recv_chk(int, void *, size_t, size_t, int);
    char byte;
    return is_timeout(__recv_chk(ends[0], &byte, 1, 1, 0));
}
static bool block_recvfrom(void) {
    extern ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
    char byte;
    return is_timeout(__recvfrom_chk(ends[0], &byte, 1, 1, 0, NULL, NULL));
}
static bool block_read(void) {
    char byte;
    return is_timeout(read(ends[0], &byte, 1));
}
static bool block_readv(void) {
    char byte;
    struct iovec part = {&byte, 1};
    return is_timeout(readv(ends[0], &part, 1));
}
static bool block_recvmmsg(void) {
    char byte;
    struct iovec part = {&byte, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    return is_timeout(recvmmsg(ends[0], &message, 1, 0, NULL));
}
static bool block_thrd_sleep(void) { return thrd_sleep(&block_time, NULL) == 0; }
static bool block_aio_suspend(void) {
    static char byte;
    static struct aiocb request = {.aio_buf = &byte, .aio_nbytes = 1};
    const struct aiocb *list[] = {&request};
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0)
        return false;
    request.aio_fildes = pipe_ends[0];
    aio_read(&request);
    return is_timeout(aio_suspend(list, 1, &block_time));
}
static void ignore(int number) { (void)number; }
static bool block_sigpause(void) {
    extern int __xpg_sigpause(int);
    struct itimerval timer = {.it_value = {0, BLOCK_MILLISECONDS * 1000}};
    signal(SIGALRM, ignore);
    setitimer(ITIMER_REAL, &timer, NULL);
    return __xpg_sigpause(SIGALRM) == -1 && errno == EINTR;
}

/* Connecting to a listener whose queue is full waits. */
static bool block_connect(struct sockaddr *address, socklen_t bytes, int expected) {
    struct timeval timeout = {0, BLOCK_MILLISECONDS * 1000};
    int listener = socket(address->sa_family, SOCK_STREAM, 0), client;
    bool full = bind(listener, address, bytes) == 0 && listen(listener, 0) == 0;
    bytes = sizeof(struct sockaddr_un);
    getsockname(listener, address, &bytes);
    for (int i = 0; full && i < 3; i++) {
        client = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        full = connect(client, address, bytes) == 0 || errno == EINPROGRESS || errno == EAGAIN;
    }
    client = socket(address->sa_family, SOCK_STREAM, 0);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    return full && connect(client, address, bytes) == -1 && errno == expected;
}
static bool block_connect_local(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    return block_connect((struct sockaddr *)&address, sizeof(sa_family_t), EAGAIN);
}
static bool block_connect_remote(void) {
    struct sockaddr_un room = {0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(&room, &address, sizeof address);
    return block_connect((struct sockaddr *)&room, sizeof address, EINPROGRESS);
}

static bool (*const blocking_calls[])(void) = {
    block_poll,        block_ppoll,    block_recv,          block_recvfrom,
    block_read,        block_readv,    block_recvmmsg,      block_thrd_sleep,
    block_aio_suspend, block_sigpause, block_connect_local, block_connect_remote,
};

START_TEST(collections_break_no_call_by_any_name) {
    struct timeval timeout = {0, BLOCK_MILLISECONDS * 1000};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    start_collecting();
    for (size_t i = 0; i < sizeof blocking_calls / sizeof *blocking_calls; i++) {
        double start = seconds_now();
        bool right = blocking_calls[i]();
        double elapsed = seconds_now() - start;
        ck_assert_msg(right, "call %zu: %s", i, strerror(errno));
        ck_assert_msg(elapsed > 0.145 && elapsed < 1, "call %zu took %f s", i, elapsed);
    }
    stop_collecting();
}
END_TEST

static void *accept_later(void *listener) {
    usleep(100000);
    close(accept(*(int *)listener, NULL, NULL));
    return NULL;
}

/* And those that succeed in the end succeed in the meantime. */
START_TEST(broken_connections_are_made) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {10, 0};
    socklen_t bytes = sizeof address;
    pthread_t thread;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), first = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    ck_assert_int_eq(listen(listener, 0), 0);
    ck_assert_int_eq(connect(first, (struct sockaddr *)&address, bytes), 0);
    int second = socket(AF_UNIX, SOCK_STREAM, 0);
    setsockopt(second, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    start_collecting();
    pthread_create(&thread, NULL, accept_later, &listener);
    ck_assert_int_eq(connect(second, (struct sockaddr *)&address, bytes), 0);
    ck_assert_int_eq(getpeername(second, (struct sockaddr *)&address, &bytes), 0);
    pthread_join(thread, NULL);
    stop_collecting();
}
END_TEST

static void *send_two(void *context) {
    for (int i = 0; i < 2; i++) {
        usleep(100000);
        send(*(int *)context, "message", 7, 0);
    }
    return NULL;
}

START_TEST(several_messages_are_received_as_one_call_asked) {
    char texts[3][8];
    struct iovec parts[3];
    struct mmsghdr messages[3] = {0};
    pthread_t thread;
    for (int i = 0; i < 3; i++) {
        parts[i] = (struct iovec){texts[i], 8};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    start_collecting();
    ck_assert_int_eq(send(ends[1], "message", 7, 0), 7);
    pthread_create(&thread, NULL, send_two, &ends[1]);
    ck_assert_int_eq(recvmmsg(ends[0], messages, 3, 0, NULL), 3);
    ck_assert_uint_eq(messages[2].msg_len, 7);
    pthread_join(thread, NULL);
    stop_collecting();
}
END_TEST

/* Half of the time everybody is stopped, or nearly so. */
static void *collect_half_of_the_time(void *argument) {
    while (!finish) {
        double start = seconds_now(), took;
        tithe_collect();
        took = seconds_now() - start;
        while (seconds_now() - start < 2 * took)
            continue;
    }
    return argument;
}

static void sleep_nanosleep(struct timespec wait) { nanosleep(&wait, NULL); }
static void sleep_clock(struct timespec wait) { clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL); }
static void sleep_usleep(struct timespec wait) { usleep(wait.tv_nsec / 1000); }
static void sleep_select(struct timespec wait) {
    struct timeval timeout = {wait.tv_sec, wait.tv_nsec / 1000};
    select(0, NULL, NULL, NULL, &timeout);
}
static void (*const sleeps[])(struct timespec) = {sleep_nanosleep, sleep_clock, sleep_usleep,
                                                  sleep_select};

START_TEST(sleeps_do_not_grow_by_the_time_stopped) {
    static void **volatile kept[300];
    struct timespec wait = {0, 500000000};
    for (int i = 0; i < 300; i++) {
        void **block = kept[i] = malloc(100000);
        for (int j = 0; j < 12500; j++)
            block[j] = block;
    }
    pthread_create(&collecting, NULL, collect_half_of_the_time, NULL);
    for (size_t i = 0; i < sizeof sleeps / sizeof *sleeps; i++) {
        double start = seconds_now();
        sleeps[i](wait);
        double elapsed = seconds_now() - start;
        ck_assert_msg(elapsed > 0.499 && elapsed < 0.8, "sleep %zu took %f s", i, elapsed);
    }
    stop_collecting();
}
END_TEST

START_TEST(sleep_tells_whole_seconds_left) {
    struct itimerval timer = {.it_value = {0, 300000}};
    signal(SIGALRM, ignore);
    setitimer(ITIMER_REAL, &timer, NULL);
    ck_assert_uint_eq(sleep(2), 1);
    ck_assert(nanosleep(NULL, NULL) == -1 && errno == EFAULT);
}
END_TEST

/* The program's own signal ends a call although what its handler did was broken by us. */
static void receive_in_handler(int number) {
    char bytes[8];
    (void)number;
    syscall(SYS_read, ends[0], bytes, sizeof bytes);
}
static void *interrupt_then_collect(void *thread) {
    usleep(100000);
    pthread_kill(*(pthread_t *)thread, SIGUSR1);
    usleep(100000);
    tithe_collect();
    return NULL;
}

START_TEST(a_handlers_broken_call_is_not_the_interrupted_ones) {
    struct timeval timeout = {0, 300000};
    pthread_t self = pthread_self(), thread;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    signal(SIGUSR1, receive_in_handler);
    pthread_create(&thread, NULL, interrupt_then_collect, &self);
    ck_assert_int_eq(poll(NULL, 0, 5000), -1);
    ck_assert_int_eq(errno, EINTR);
    pthread_join(thread, NULL);
}
END_TEST

/* The last round of destructors comes after the collector has let the thread go. */
static pthread_key_t last_key;
static int rounds, broken;
static void sleep_in_every_round(void *value) {
    struct timespec wait = {0, 50000000};
    if (++rounds < PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(last_key, value);
    for (int i = 0; i < 3; i++)
        broken += nanosleep(&wait, NULL) != 0;
}
static void *set_last_key(void *argument) {
    pthread_setspecific(last_key, argument);
    return argument;
}

START_TEST(a_leaving_thread_sleeps_undisturbed) {
    pthread_t thread;
    pthread_key_create(&last_key, sleep_in_every_round);
    start_collecting();
    pthread_create(&thread, NULL, set_last_key, &rounds);
    pthread_join(thread, NULL);
    stop_collecting();
    ck_assert_int_eq(rounds, PTHREAD_DESTRUCTOR_ITERATIONS);
    ck_assert_int_eq(broken, 0);
}
END_TEST

/* As libaio declares them; without it they are the shim's. */
int io_submit(aio_context_t context, long count, struct iocb *blocks[]) __attribute__((weak));
int io_getevents(aio_context_t context, long least, long most, struct io_event *events,
                 struct timespec *timeout) __attribute__((weak));

__attribute__((noinline)) static void submit_poll(aio_context_t context, int fd) {
    int *datum = malloc(3000);
    struct iocb *block = calloc(1, sizeof *block), *list[] = {block};
    *datum = 4711;
    block->aio_fildes = fd;
    block->aio_lio_opcode = IOCB_CMD_POLL;
    block->aio_buf = POLLIN;
    block->aio_data = (uintptr_t)datum;
    ck_assert_int_eq(io_submit(context, 1, list), 1);
    memset(block, 0, sizeof *block);
    memset(list, 0, sizeof list);
}

__attribute__((noinline)) static void wipe_stack(void) {
    volatile char frames[16384];
    for (size_t i = 0; i < sizeof frames; i++)
        frames[i] = 0;
}

static void overwrite_lost(size_t bytes) {
    for (int i = 0; i < 5000; i++)
        memset(malloc(bytes), 0x77, bytes);
}

START_TEST(requests_hold_their_data) {
    aio_context_t context = 0;
    struct io_event event;
    struct timespec wait = block_time;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(syscall(SYS_io_setup, 4, &context), 0);
    submit_poll(context, ends[0]);
    wipe_stack();
    ck_assert(tithe_collect() && tithe_collect());
    overwrite_lost(3000);
    start_collecting();
    ck_assert_int_eq(io_getevents(context, 1, 1, &event, &wait), 0);
    stop_collecting();
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(io_getevents(context, 1, 1, &event, NULL), 1);
    ck_assert_int_eq(*(int *)event.data, 4711);
    ck_assert_int_eq(io_submit(context, 1, (struct iocb *[]){&(struct iocb){.aio_fildes = -1}}),
                     -EBADF);
}
END_TEST

enum { FILL_MEBIBYTES = 600 };
static void *volatile filling[FILL_MEBIBYTES];
static int fill_memory(void) {
    int count = 0;
    while (count < FILL_MEBIBYTES && (filling[count] = malloc(1 << 20)) != NULL)
        count++;
    for (int i = 0; i < count; i++)
        free(filling[i]);
    return count;
}

static bool can_map(size_t bytes) {
    void *map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map != MAP_FAILED)
        munmap(map, bytes);
    return map != MAP_FAILED;
}

START_TEST(a_limit_by_any_name_leaves_room) {
    struct rlimit64 limit = {(rlim_t)1 << 30, RLIM_INFINITY};
    ck_assert_int_eq(prlimit64(0, RLIMIT_AS, &limit, NULL), 0);
    ck_assert(can_map(100 << 20));
}
END_TEST

START_TEST(a_refused_limit_does_nothing) {
    struct rlimit wrong = {200 << 20, 100 << 20};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &wrong), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(fill_memory(), FILL_MEBIBYTES);
    ck_assert(tithe_collect());
}
END_TEST

START_TEST(a_lifted_limit_leaves_no_trace) {
    struct rlimit limit = {400 << 20, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    int limited = fill_memory();
    ck_assert(limited > 100 && limited < 400);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    ck_assert_int_eq(fill_memory(), FILL_MEBIBYTES);
    ck_assert(tithe_collect());
}
END_TEST

/* What is only reserved needs no locking. */
START_TEST(all_memory_can_be_locked) {
    enum { NOBODY = 65534 };
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    if (limit.rlim_max < 8 << 20)
        return; /* too little for any program */
    limit.rlim_cur = limit.rlim_max = limit.rlim_max < 64 << 20 ? limit.rlim_max : 64 << 20;
    ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        ck_assert_int_ne(geteuid(), 0);
    ck_assert_msg(mlockall(MCL_CURRENT | MCL_FUTURE) == 0, "%s", strerror(errno));
    ck_assert_int_eq(fill_memory(), FILL_MEBIBYTES);
    ck_assert(!can_map(100 << 20) && can_map(64 << 10));
}
END_TEST

static int count_threads(void) {
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* The kernel says EINVAL to a process of several threads; privileges are another matter. */
START_TEST(a_process_of_one_thread_is_one) {
    int space = open("/proc/self/ns/mnt", O_RDONLY);
    ck_assert(tithe_collect());
    ck_assert_int_gt(count_threads(), 1);
    ck_assert(setns(space, CLONE_NEWNS) == 0 || errno == EPERM);
    ck_assert(tithe_collect());
    ck_assert_int_gt(count_threads(), 1);
    ck_assert(unshare(CLONE_NEWUSER) == 0 || errno == EPERM || errno == ENOSPC);
    overwrite_lost(10000);
    ck_assert(tithe_collect());
    ck_assert_int_gt(count_threads(), 1);
    ck_assert_int_eq(unshare(-1), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* A map that was written to and seen by a collection, a new one behind it, and what is natively one
 * map of both. */
enum { MAP_BYTES = 64 * 4096 };
static char *two_maps(bool touches) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    char *room = mmap(NULL, 8 * MAP_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *first = mmap(room + MAP_BYTES, MAP_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    memset(first, 1, MAP_BYTES);
    ck_assert(tithe_collect());
    char *second = mmap(first + MAP_BYTES, MAP_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    ck_assert(second == first + MAP_BYTES);
    if (touches)
        memset(second, 2, MAP_BYTES);
    return first;
}

START_TEST(maps_are_one_in_spite_of_tracking) {
    for (int i = 0; i < 4; i++) {
        bool touches = i % 2, collects = i / 2;
        char *both = two_maps(touches);
        ck_assert(!collects || tithe_collect());
        char *moved = mremap(both, 2 * MAP_BYTES, 3 * MAP_BYTES, MREMAP_MAYMOVE);
        ck_assert_msg(moved != MAP_FAILED, "%d: %s", i, strerror(errno));
        ck_assert(moved[5] == 1 && moved[MAP_BYTES + 5] == (touches ? 2 : 0));
        memset(moved, 3, 3 * MAP_BYTES);
        ck_assert(tithe_collect());
    }
}
END_TEST

START_TEST(a_hole_is_no_map) {
    char *both = two_maps(true);
    munmap(both + MAP_BYTES / 2, 4096);
    ck_assert(mremap(both, 2 * MAP_BYTES, 3 * MAP_BYTES, MREMAP_MAYMOVE) == MAP_FAILED);
    ck_assert_int_eq(errno, EFAULT);
    ck_assert(both[5] == 1 && both[MAP_BYTES + 5] == 2);
    memset(both + MAP_BYTES, 3, MAP_BYTES);
    ck_assert(tithe_collect());
}
END_TEST

/* The number that the collector would take, used without a handler. */
START_TEST(a_signal_may_be_waited_for) {
    struct signalfd_siginfo read_info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX - 1);
    sigaddset(&set, SIGRTMAX - 2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    ck_assert(tithe_collect());
    for (int number = SIGRTMAX - 2; number < SIGRTMAX; number++) {
        ck_assert_int_eq(kill(getpid(), number), 0);
        ck_assert_int_eq(sigtimedwait(&set, NULL, &block_time), number);
        ck_assert_int_eq(kill(getpid(), number), 0);
        int fd = signalfd(-1, &set, SFD_NONBLOCK);
        ck_assert_int_eq(read(fd, &read_info, sizeof read_info), sizeof read_info);
        ck_assert_int_eq((int)read_info.ssi_signo, number);
        close(fd);
    }
    ck_assert(tithe_collect());
}
END_TEST

/* A full set means all there are. */
START_TEST(a_full_mask_does_not_stand_in_the_way) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    start_collecting();
    ck_assert(tithe_collect());
    stop_collecting();
}
END_TEST

/* Guard pages cut out of blocks large and small, one that is read-only and lost, and one that a
 * child does not inherit. */
START_TEST(blocks_may_be_protected) {
    const size_t page = 4096, sizes[] = {2 * page, 32 * page};
    for (int i = 0; i < 2; i++) {
        char *guarded = aligned_alloc(page, sizes[i]), *constant = aligned_alloc(page, sizes[i]);
        memset(guarded, 1, sizes[i]);
        ck_assert_int_eq(mprotect(guarded, page, PROT_NONE), 0);
        ck_assert_int_eq(mprotect(constant, sizes[i], PROT_READ), 0);
        constant = NULL;
        ck_assert(tithe_collect());
        ck_assert(tithe_collect());
        overwrite_lost(sizes[i]);
        ck_assert(tithe_collect());
        ck_assert_int_eq(guarded[page], 1);
        ck_assert_int_eq(mprotect(guarded, page, PROT_READ | PROT_WRITE), 0);
        ck_assert_int_eq(guarded[0], 1);
        ck_assert_int_eq(madvise(guarded, sizes[i], MADV_DONTFORK), 0);
        pid_t child = fork();
        if (child == 0)
            _exit(!tithe_collect());
        int status = -1;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        free(guarded);
    }
}
END_TEST

/* As fontconfig keeps its elements: by their distance from the structure they belong to. */
struct by_distance {
    long count, distance;
};

__attribute__((noinline)) static struct by_distance *make_by_distance(size_t bytes) {
    struct by_distance *owner = malloc(sizeof *owner);
    char *elements = malloc(bytes);
    memset(elements, 0x11, bytes);
    __asm__ volatile("" : : "r"(elements) : "memory"); /* the compiler sees no reader */
    *owner = (struct by_distance){bytes, elements - (char *)owner};
    return owner;
}

START_TEST(a_distance_is_a_pointer) {
    static struct by_distance *owners[200];
    for (int i = 0; i < 200; i++)
        owners[i] = make_by_distance(200);
    ck_assert(tithe_collect());
    overwrite_lost(200);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(((char *)owners[i])[owners[i]->distance + 199], 0x11);
}
END_TEST

/* By raw calls, which no wrapper sees; the kernel refuses to read the process's memory from then
 * on, so that this thread cannot know roots outside of our heap. The collector's own threads can.
 */
static int collect_where_reading_is_refused(void) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof program / sizeof *program, program};
    char **map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map[0] = strdup("still here");
    if (!tithe_collect())
        return 1;
    if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
        return 2;
    for (int i = 0; i < 3; i++)
        tithe_collect();
    overwrite_lost(sizeof "still here");
    return strcmp(map[0], "still here") == 0 ? 0 : 3;
}

START_TEST(where_memory_cannot_be_read_all_survives) {
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(collect_where_reading_is_refused());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

static volatile sig_atomic_t ticks;

static void tick(union sigval value) {
    ticks += value.sival_int;
    free(malloc(100));
}

/* Libc makes a thread for it that blocks all signals, and allocates nothing before the first tick;
 * libc's own use of the signal that makes them listen goes on. */
START_TEST(timers_with_threads_stop_nobody_from_collecting) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick};
    struct itimerspec often = {{0, 2000000}, {0, 2000000}};
    event.sigev_value.sival_int = 1;
    ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    for (int i = 0; i < 3; i++)
        ck_assert(tithe_collect());
    ck_assert_int_eq(timer_settime(timer, 0, &often, NULL), 0);
    for (int i = 0; i < 10; i++) {
        ck_assert(tithe_collect());
        ck_assert_int_eq(setuid(getuid()), 0);
        usleep(5000);
    }
    ck_assert_int_gt(ticks, 0);
    timer_delete(timer);
}
END_TEST

/* The thread that this one makes is there when the one that made it, and main, are no more. */
static void *collect_for_others(void *context) {
    char **map = context;
    usleep(20000);
    for (int i = 0; i < 3; i++) {
        if (!tithe_collect())
            _exit(2);
        overwrite_lost(sizeof "still here");
    }
    _exit(strcmp(map[0], "still here") == 0 ? 0 : 3);
}

static void *hand_over(void *context) {
    pthread_t next;
    usleep(20000);
    if (!tithe_collect() || pthread_create(&next, NULL, collect_for_others, context) != 0)
        _exit(1);
    return NULL;
}

static void leave_others_alone(bool after_a_collection) {
    pthread_t thread;
    char **map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map[0] = strdup("still here");
    if (after_a_collection && !tithe_collect())
        _exit(4);
    if (pthread_create(&thread, NULL, hand_over, map) != 0)
        _exit(5);
    pthread_detach(thread);
    pthread_exit(NULL);
}

START_TEST(others_are_collected_for_when_main_has_left) {
    for (int after = 0; after < 2; after++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0)
            leave_others_alone(after);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_constructor_may_wait_for_a_thread,
        who_binds_deep_has_the_same_malloc,
        early_fork_handlers_may_allocate,
        collections_break_no_call_by_any_name,
        broken_connections_are_made,
        several_messages_are_received_as_one_call_asked,
        sleeps_do_not_grow_by_the_time_stopped,
        sleep_tells_whole_seconds_left,
        a_handlers_broken_call_is_not_the_interrupted_ones,
        a_leaving_thread_sleeps_undisturbed,
        requests_hold_their_data,
        a_limit_by_any_name_leaves_room,
        a_refused_limit_does_nothing,
        a_lifted_limit_leaves_no_trace,
        all_memory_can_be_locked,
        a_process_of_one_thread_is_one,
        maps_are_one_in_spite_of_tracking,
        a_hole_is_no_map,
        a_signal_may_be_waited_for,
        a_full_mask_does_not_stand_in_the_way,
        blocks_may_be_protected,
        a_distance_is_a_pointer,
        where_memory_cannot_be_read_all_survives,
        timers_with_threads_stop_nobody_from_collecting,
        others_are_collected_for_when_main_has_left,
    };
    if (&tithe_collect == NULL) {
        fputs("shim_hazards_test: run this under tithe\n", stderr);
        return 1;
    }
    return SUITE_RUN("shim hazards", tests, 30);
}
