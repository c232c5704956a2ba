/* What the program gave the kernel to keep is kept until the kernel gives it back: signals' values,
 * timers, queues, epoll, asynchronous files, userfaultfd, filters. Run under tithe. Rings of
 * io_uring have a suite of their own.
 */
#include "suite.h"

#include "ring.h"
#include "tithe.h"
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

enum { FEW = 6 }; /* that something else may hold by chance */

static void require_kept(const struct witnesses *group) {
    witness_churn();
    ck_assert_uint_eq(witness_intact(group), WITNESSES);
}

static void require_gone(const struct witnesses *group) {
    witness_churn();
    ck_assert_uint_le(witness_intact(group), FEW);
}

static size_t cancelled(void) {
    struct tithe_statistics statistics;
    tithe_get_statistics(&statistics, sizeof statistics);
    return statistics.cancelled;
}

static void require_unknown(void) {
    size_t before = cancelled();
    ck_assert(!tithe_collect());
    ck_assert_uint_gt(cancelled(), before);
}

/* Signals: each of the values is only in the kernel. */

enum { QUEUED = 2000 }; /* beside the witnesses, and after them */

static int number_of_signal(void) { return SIGRTMIN + 3; }

static sigset_t block(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    return set;
}

enum sender { BY_LIBC, TO_THREAD, BY_CALL, TO_THREAD_BY_CALL, BY_DESCRIPTOR, SENDERS };

static int send_value(enum sender sender, int number, void *value) {
    siginfo_t info = {.si_signo = number, .si_code = SI_QUEUE, .si_value.sival_ptr = value};
    info.si_pid = getpid();
    info.si_uid = getuid();
    switch (sender) {
    case BY_LIBC:
        return sigqueue(getpid(), number, (union sigval){.sival_ptr = value});
    case TO_THREAD:
        return pthread_sigqueue(pthread_self(), number, (union sigval){.sival_ptr = value});
    case BY_CALL:
        return syscall(SYS_rt_sigqueueinfo, getpid(), number, &info);
    case TO_THREAD_BY_CALL:
        return syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), number, &info);
    default: {
        int fd = syscall(SYS_pidfd_open, getpid(), 0);
        int result = syscall(SYS_pidfd_send_signal, fd, number, &info, 0);
        close(fd);
        return result;
    }
    }
}

__attribute__((noinline)) static void send_all(enum sender sender, struct witnesses *group) {
    for (unsigned i = 0; i < WITNESSES; i++)
        ck_assert_int_eq(send_value(sender, number_of_signal(), witness_make(group, i)), 0);
    for (unsigned i = 0; i < QUEUED; i++)
        ck_assert_int_eq(send_value(sender, number_of_signal(), malloc(WITNESS_BYTES)), 0);
}

__attribute__((noinline)) static void wait_for_all(const sigset_t *set,
                                                   const struct witnesses *group) {
    siginfo_t info;
    for (unsigned i = 0; i < WITNESSES + QUEUED; i++) {
        ck_assert_int_gt(sigwaitinfo(set, &info), 0);
        if (i < WITNESSES)
            ck_assert(~(uintptr_t)info.si_value.sival_ptr == group->hidden[i]);
    }
    memset(&info, 0, sizeof info);
    __asm__ volatile("" : : "r"(&info) : "memory");
}

START_TEST(queued_values_are_kept_until_they_are_taken) {
    struct witnesses group;
    sigset_t set = block(number_of_signal());
    send_all(_i, &group);
    require_kept(&group);
    wait_for_all(&set, &group);
    require_gone(&group);
}
END_TEST

/* One number's values may go when they are taken, though others of another number wait. */
START_TEST(values_go_by_their_number) {
    struct witnesses group;
    sigset_t set = block(number_of_signal()), other = block(number_of_signal() + 1);
    ck_assert_int_eq(send_value(BY_LIBC, number_of_signal() + 1, malloc(10)), 0);
    send_all(BY_LIBC, &group);
    require_kept(&group);
    wait_for_all(&set, &group);
    require_gone(&group);
    ck_assert_int_eq(sigwaitinfo(&other, NULL), number_of_signal() + 1);
}
END_TEST

START_TEST(values_read_from_a_descriptor_are_kept) {
    struct witnesses group;
    sigset_t set = block(number_of_signal());
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    struct signalfd_siginfo info;
    send_all(BY_LIBC, &group);
    require_kept(&group);
    for (unsigned i = 0; i < WITNESSES + QUEUED; i++) {
        ck_assert_int_eq(read(fd, &info, sizeof info), sizeof info);
        if (i < WITNESSES)
            ck_assert(~info.ssi_ptr == group.hidden[i]);
    }
    close(fd);
}
END_TEST

/* Another thread blocks the signal and sleeps; only its own queue has the values. */
static pthread_barrier_t barrier;

static void *sleep_with_signals(void *group) {
    sigset_t set = block(number_of_signal());
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < WITNESSES; i++) {
        siginfo_t info;
        ck_assert_int_gt(sigwaitinfo(&set, &info), 0);
        ck_assert(~(uintptr_t)info.si_value.sival_ptr == ((struct witnesses *)group)->hidden[i]);
    }
    return NULL;
}

__attribute__((noinline)) static void send_to_thread(pthread_t thread, struct witnesses *group) {
    for (unsigned i = 0; i < WITNESSES; i++)
        ck_assert_int_eq(pthread_sigqueue(thread, number_of_signal(),
                                          (union sigval){.sival_ptr = witness_make(group, i)}),
                         0);
}

START_TEST(values_sent_to_another_thread_are_kept) {
    struct witnesses group;
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, sleep_with_signals, &group);
    pthread_barrier_wait(&barrier);
    send_to_thread(thread, &group);
    require_kept(&group);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    require_gone(&group);
}
END_TEST

/* A child of fork has no signals waiting, and what is another process's is not ours to keep. */
START_TEST(values_of_other_processes_are_not_kept) {
    struct witnesses group;
    int status, ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        block(number_of_signal());
        write(ready[1], "x", 1);
        pause();
    }
    char byte;
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    for (unsigned i = 0; i < WITNESSES; i++)
        sigqueue(child, number_of_signal(), (union sigval){.sival_ptr = witness_make(&group, i)});
    block(number_of_signal());
    ck_assert_int_eq(send_value(BY_LIBC, number_of_signal(), NULL), 0);
    require_gone(&group);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
}
END_TEST

/* Timers by bare calls; one that is deleted while its signal waits. */

__attribute__((noinline)) static void make_timers(struct witnesses *group, int *timers) {
    for (unsigned i = 0; i < WITNESSES; i++) {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                                 .sigev_signo = number_of_signal(),
                                 .sigev_value.sival_ptr = witness_make(group, i)};
        ck_assert_int_eq(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timers[i]), 0);
    }
}

START_TEST(timers_made_by_bare_calls_are_kept) {
    struct witnesses group;
    int timers[WITNESSES];
    make_timers(&group, timers);
    require_kept(&group);
    for (unsigned i = 0; i < WITNESSES; i++)
        ck_assert_int_eq(syscall(SYS_timer_delete, timers[i]), 0);
    require_gone(&group);
}
END_TEST

/* Before Linux 6.13 the signal of a timer outlives it. */
START_TEST(a_timer_that_is_gone_may_have_a_signal_waiting) {
    struct witnesses group;
    int timers[WITNESSES];
    sigset_t set = block(number_of_signal());
    struct itimerspec at_once = {.it_value.tv_nsec = 1};
    make_timers(&group, timers);
    for (unsigned i = 0; i < WITNESSES; i++)
        ck_assert_int_eq(syscall(SYS_timer_settime, timers[i], 0, &at_once, NULL), 0);
    usleep(20000);
    for (unsigned i = 0; i < WITNESSES; i++)
        ck_assert_int_eq(syscall(SYS_timer_delete, timers[i]), 0);
    siginfo_t info;
    bool waits = sigtimedwait(&set, &info, &(struct timespec){0}) > 0;
    if (waits)
        require_kept(&group);
    while (sigtimedwait(&set, &info, &(struct timespec){0}) > 0)
        continue;
    memset(&info, 0, sizeof info);
    require_gone(&group);
}
END_TEST

/* A notification that the kernel refuses takes nothing from the one it has. */
START_TEST(a_refused_notification_leaves_the_other) {
    struct witnesses group;
    struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 8};
    char name[] = "/tithe-kernel-held";
    sigset_t set = block(number_of_signal());
    mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, &attributes);
    ck_assert_int_ge(queue, 0);
    mq_unlink(name);
    for (unsigned i = 0; i < WITNESSES; i++)
        witness_make(&group, i);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number_of_signal()};
    event.sigev_value.sival_ptr = (void *)~group.hidden[7];
    ck_assert_int_eq(mq_notify(queue, &event), 0);
    event.sigev_value.sival_ptr = NULL;
    ck_assert_int_eq(mq_notify(queue, &event), -1);
    ck_assert_int_eq(syscall(SYS_mq_notify, queue, &event), -1);
    witness_churn();
    ck_assert_int_eq(mq_send(queue, "x", 1, 0), 0);
    ck_assert_int_eq(mq_notify(queue, &event), 0); /* the first one waits as a signal */
    witness_churn();
    siginfo_t info;
    ck_assert_int_eq(sigwaitinfo(&set, &info), number_of_signal());
    const unsigned char *object = info.si_value.sival_ptr;
    ck_assert(~(uintptr_t)object == group.hidden[7]);
    ck_assert_uint_ge(witness_intact(&group), 1);
    ck_assert_uint_eq(object[20], (unsigned char)(group.hidden[7] * 31 + 20));
}
END_TEST

/* epoll: numbers do not stand for files. */

static int open_pipe_end(void) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    return ends[0];
}

__attribute__((noinline)) static void add(int epoll, int fd, void *pointer) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = pointer};
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
}

START_TEST(an_epoll_under_another_number_keeps_what_it_has) {
    struct witnesses group;
    for (unsigned i = 0; i < WITNESSES; i++) {
        int epoll = epoll_create1(0), fd = open_pipe_end();
        add(epoll, fd, witness_make(&group, i));
        ck_assert_int_ge(dup(epoll), 0);
        close(epoll);
        int other = epoll_create1(0);
        ck_assert_int_eq(other, epoll);
        add(other, fd, malloc(1));
        close(other);
    }
    require_kept(&group);
}
END_TEST

START_TEST(a_file_under_another_number_stays_in_an_epoll) {
    struct witnesses group;
    int epoll = syscall(SYS_epoll_create1, 0);
    for (unsigned i = 0; i < WITNESSES; i++) {
        int fd = open_pipe_end();
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = witness_make(&group, i)};
        ck_assert_int_eq(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &event), 0);
        ck_assert_int_ge(dup(fd), 0);
        close(fd);
        int again = open_pipe_end();
        if (again == fd)
            add(epoll, again, malloc(1));
    }
    require_kept(&group);
}
END_TEST

/* Linux's own asynchronous files: one block on the stack stands for many requests. */

struct files {
    aio_context_t context;
    int event, ends[2];
    bool bare;
};

static long files_call(const struct files *files, long number, long a, long b, long c, long d,
                       long e) {
    return files->bare ? syscall_raw(number, a, b, c, d, e, 0) : syscall(number, a, b, c, d, e);
}

static bool files_open(struct files *files, bool bare) {
    *files = (struct files){.bare = bare};
    ck_assert_int_eq(pipe(files->ends), 0);
    return files_call(files, SYS_io_setup, 256, (long)&files->context, 0, 0, 0) == 0;
}

/* A poll of the pipe comes back when there is something to read. */
__attribute__((noinline)) static void submit_all(struct files *files, struct witnesses *group) {
    for (unsigned i = 0; i < WITNESSES; i++) {
        struct iocb block = {.aio_lio_opcode = IOCB_CMD_POLL,
                             .aio_fildes = files->ends[0],
                             .aio_buf = POLLIN,
                             .aio_data = (uintptr_t)witness_make(group, i)};
        struct iocb *list[] = {&block};
        ck_assert_int_eq(files_call(files, SYS_io_submit, files->context, 1, (long)list, 0, 0), 1);
    }
}

__attribute__((noinline)) static void get_all(struct files *files, const struct witnesses *group) {
    struct io_event events[WITNESSES];
    ck_assert_int_eq(write(files->ends[1], "x", 1), 1);
    for (unsigned taken = 0; taken < WITNESSES;) {
        long got =
            files_call(files, SYS_io_getevents, files->context, 1, WITNESSES, (long)events, 0);
        for (long i = 0; i < got; i++) {
            bool known = false;
            for (unsigned j = 0; j < WITNESSES; j++)
                known |= group->hidden[j] == ~events[i].data;
            ck_assert(known);
        }
        ck_assert_int_gt(got, 0);
        taken += got;
    }
    memset(events, 0, sizeof events);
    __asm__ volatile("" : : "r"(events) : "memory");
}

/* The same as the kernel's struct aio_ring. */
struct aio_ring {
    unsigned id, count, head, tail, magic, compatible, incompatible, bytes;
    struct io_event events[];
};

__attribute__((noinline)) static void get_all_from_ring(struct files *files,
                                                        const struct witnesses *group) {
    struct aio_ring *ring = (struct aio_ring *)files->context;
    ck_assert_int_eq(write(files->ends[1], "x", 1), 1);
    for (unsigned taken = 0; taken < WITNESSES;) {
        unsigned head = ring->head;
        if (head == __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE))
            continue;
        bool known = false;
        for (unsigned j = 0; j < WITNESSES; j++)
            known |= group->hidden[j] == ~ring->events[head].data;
        ck_assert(known);
        __atomic_store_n(&ring->head, (head + 1) % ring->count, __ATOMIC_RELEASE);
        taken++;
    }
}

/* The ring is a root: what came back stands there until others do. */
static void wipe_ring(struct files *files) {
    struct aio_ring *ring = (struct aio_ring *)files->context;
    memset(ring->events, 0, (ring->count - 1) * sizeof *ring->events);
}

START_TEST(asynchronous_requests_are_kept_until_they_are_done) {
    struct files files;
    struct witnesses group;
    if (!files_open(&files, false))
        return;
    submit_all(&files, &group);
    require_kept(&group);
    if (_i)
        get_all_from_ring(&files, &group);
    else
        get_all(&files, &group);
    ck_assert(tithe_collect());
    wipe_ring(&files);
    require_gone(&group);
    ck_assert_int_eq(syscall(SYS_io_destroy, files.context), 0);
    ck_assert(tithe_collect());
}
END_TEST

START_TEST(bare_asynchronous_requests_stop_the_collecting) {
    struct files files;
    struct witnesses group;
    if (!files_open(&files, true))
        return;
    submit_all(&files, &group);
    require_unknown();
    witness_churn();
    ck_assert_uint_eq(witness_intact(&group), WITNESSES);
    get_all(&files, &group);
    syscall_raw(SYS_io_destroy, files.context, 0, 0, 0, 0, 0);
    ck_assert(tithe_collect());
    require_gone(&group);
}
END_TEST

/* A program's own userfaultfd. */

enum { RANGE_BYTES = 1 << 20 };

static int open_userfault(unsigned long features) {
    struct uffdio_api api = {.api = UFFD_API, .features = features};
    int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0)
        return fd;
    close(fd);
    return -1;
}

static int register_range(int fd, void *start, size_t bytes, unsigned long mode) {
    struct uffdio_register request = {.range = {(uintptr_t)start, bytes}, .mode = mode};
    return ioctl(fd, UFFDIO_REGISTER, &request);
}

static char *map_range(void) {
    char *start =
        mmap(NULL, RANGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(start != MAP_FAILED);
    return start;
}

__attribute__((noinline)) static void fill_range(char *start, struct witnesses *group) {
    for (unsigned i = 0; i < WITNESSES; i++)
        ((void **)start)[i * 64] = witness_make(group, i);
}

/* What we track the program may have; what it has is read, and let go of when it is told. */
START_TEST(a_tracked_range_may_be_registered) {
    static const unsigned long modes[] = {UFFDIO_REGISTER_MODE_MISSING, UFFDIO_REGISTER_MODE_WP,
                                          UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP};
    struct witnesses group;
    char *start = map_range();
    memset(start, 1, RANGE_BYTES);
    fill_range(start, &group);
    require_kept(&group);
    int fd = open_userfault(0);
    if (fd < 0)
        return;
    ck_assert_int_eq(register_range(fd, start, RANGE_BYTES, modes[_i]), 0);
    fill_range(start, &group);
    require_kept(&group);
    memset(start, 0, RANGE_BYTES);
    require_gone(&group);
    fill_range(start, &group);
    close(fd);
    require_kept(&group);
    fd = open_userfault(0);
    ck_assert_int_eq(register_range(fd, start, RANGE_BYTES / 2, modes[_i]), 0);
    require_kept(&group);
}
END_TEST

/* The thread that hands out pages stands still in a stop: nobody may ask it for one. */
static volatile int asked;

static void *hand_out(void *context) {
    int fd = *(int *)context;
    struct uffd_msg message;
    while (read(fd, &message, sizeof message) == sizeof message) {
        if (message.event != UFFD_EVENT_PAGEFAULT)
            continue;
        asked++;
        free(malloc(100));
        struct uffdio_zeropage page = {.range = {message.arg.pagefault.address & ~4095ull, 4096}};
        ioctl(fd, UFFDIO_ZEROPAGE, &page);
    }
    return NULL;
}

START_TEST(pages_that_are_missing_are_asked_for_by_nobody) {
    struct witnesses group;
    pthread_t thread;
    char *start = map_range();
    int fd = open_userfault(0);
    if (fd < 0)
        return;
    ck_assert_int_eq(register_range(fd, start, RANGE_BYTES, UFFDIO_REGISTER_MODE_MISSING), 0);
    pthread_create(&thread, NULL, hand_out, &fd);
    fill_range(start, &group);
    int before = asked;
    ck_assert_int_gt(before, 0);
    require_kept(&group);
    ck_assert_int_eq(madvise(start, RANGE_BYTES, MADV_DONTNEED), 0);
    require_gone(&group);
    ck_assert_int_eq(asked, before);
}
END_TEST

/* Shared memory of which the page table has nothing, handed out page by page. */
START_TEST(pages_that_wait_to_be_handed_out_stop_the_collecting) {
    struct witnesses group;
    int memory = memfd_create("handed out", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(memory, RANGE_BYTES), 0);
    char *start = mmap(NULL, RANGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    fill_range(start, &group);
    int fd = open_userfault(1 << 10); /* UFFD_FEATURE_MINOR_SHMEM */
    if (fd < 0 || register_range(fd, start, RANGE_BYTES, 1 << 2) != 0)
        return;
    require_kept(&group);
    ck_assert_int_eq(madvise(start, RANGE_BYTES, MADV_DONTNEED), 0);
    require_unknown();
    struct uffdio_range range = {(uintptr_t)start, RANGE_BYTES};
    ck_assert_int_eq(ioctl(fd, UFFDIO_UNREGISTER, &range), 0);
    require_kept(&group);
}
END_TEST

/* Pages of the heap itself. */
START_TEST(pages_of_the_heap_that_are_handed_out_stop_the_collecting) {
    char *start = aligned_alloc(RANGE_BYTES, RANGE_BYTES);
    struct witnesses group;
    memset(start, 0, RANGE_BYTES);
    ck_assert(tithe_collect());
    int fd = open_userfault(0);
    if (fd < 0)
        return;
    ck_assert_int_eq(register_range(fd, start, RANGE_BYTES, UFFDIO_REGISTER_MODE_MISSING), 0);
    fill_range(start, &group);
    require_unknown();
    close(fd);
    require_kept(&group);
    free(start);
}
END_TEST

/* Filters: what the program puts on itself must not kill it for what we do. */

static void install_strict_filter(unsigned long flags) {
    static const int allowed[] = {
        SYS_read,     SYS_write,          SYS_mmap,       SYS_munmap,
        SYS_mprotect, SYS_mremap,         SYS_madvise,    SYS_brk,
        SYS_futex,    SYS_exit,           SYS_exit_group, SYS_rt_sigreturn,
        SYS_clone,    SYS_rt_sigprocmask, SYS_clone3,     SYS_set_robust_list,
        SYS_rseq,     SYS_wait4};
    enum { COUNT = sizeof allowed / sizeof *allowed };
    struct sock_filter filter[COUNT + 3];
    unsigned at = 0;
    filter[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < COUNT; i++)
        filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i],
                                                    COUNT - i, 0);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {at, filter};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) != 0)
        _exit(42); /* not allowed here */
}

static void *allocate(void *context) {
    (void)context;
    for (unsigned i = 0; i < 200000; i++) {
        void *volatile object = malloc(i % 700);
        if (i % 4)
            free(object);
        if (i % 1000 == 0)
            free(malloc(3 << 20));
    }
    return NULL;
}

static void *allocate_when_told(void *context) {
    pthread_barrier_wait(&barrier);
    return allocate(context);
}

START_TEST(a_strict_filter_kills_nobody) {
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        pthread_t waiting, later;
        pthread_barrier_init(&barrier, NULL, 2);
        pthread_create(&waiting, NULL, allocate_when_told, NULL);
        allocate(NULL);
        tithe_collect();
        install_strict_filter(_i ? SECCOMP_FILTER_FLAG_TSYNC : 0);
        pthread_barrier_wait(&barrier);
        allocate(NULL);
        pthread_join(waiting, NULL);
        if (pthread_create(&later, NULL, allocate, NULL) == 0)
            pthread_join(later, NULL);
        child = fork();
        allocate(NULL);
        if (child == 0 || waitpid(child, &status, 0) == child)
            _exit(child ? WEXITSTATUS(status) : 42);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 42, "status %x", status);
}
END_TEST

/* All arguments go through, and what comes back. */
START_TEST(calls_by_number_are_as_ever) {
    errno = 0;
    ck_assert_int_eq(syscall(SYS_close, -1), -1);
    ck_assert_int_eq(errno, EBADF);
    char *page = (char *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0l);
    ck_assert_ptr_ne(page, MAP_FAILED);
    page[0] = 1;
    int file = open("/proc/self/exe", O_RDONLY);
    char *second = (char *)syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, file, 4096l);
    char expected[16];
    ck_assert_int_eq(pread(file, expected, sizeof expected, 4096), sizeof expected);
    ck_assert_int_eq(memcmp(expected, second, sizeof expected), 0);
    ck_assert_int_eq(syscall(SYS_prctl, PR_SET_NAME, "named", 0, 0, 0), 0);
    errno = 0;
    ck_assert_int_eq(ioctl(-1, UFFDIO_REGISTER, NULL), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(syscall(SYS_ioctl, -1, 0, 0), -1);
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        values_go_by_their_number,
        values_read_from_a_descriptor_are_kept,
        values_sent_to_another_thread_are_kept,
        values_of_other_processes_are_not_kept,
        timers_made_by_bare_calls_are_kept,
        a_timer_that_is_gone_may_have_a_signal_waiting,
        a_refused_notification_leaves_the_other,
        an_epoll_under_another_number_keeps_what_it_has,
        a_file_under_another_number_stays_in_an_epoll,
        bare_asynchronous_requests_stop_the_collecting,
        pages_that_are_missing_are_asked_for_by_nobody,
        pages_that_wait_to_be_handed_out_stop_the_collecting,
        pages_of_the_heap_that_are_handed_out_stop_the_collecting,
        calls_by_number_are_as_ever,
    };
    const struct looped loops[] = {
        {queued_values_are_kept_until_they_are_taken, SENDERS},
        {asynchronous_requests_are_kept_until_they_are_done, 2},
        {a_tracked_range_may_be_registered, 3},
        {a_strict_filter_kills_nobody, 2},
    };
    return SUITE_RUN_LOOPS("kernel held", tests, loops, 60);
}
