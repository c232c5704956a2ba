/* What is only in a ring of io_uring, or in the kernel behind it, is kept until it has come back,
 * and no longer; what cannot be known stops the collecting for as long as the ring is there. Run
 * under tithe; the suite runs itself once more with all marking in the stop.
 */
#include "suite.h"

#include "ring.h"
#include "tithe.h"
#include "witness.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { FEW = 6 }; /* that something else may hold by chance */

/* Ends a test where the kernel has no ring of the kind. */
#define OPEN_OR_SKIP(...)                                                                          \
    do {                                                                                           \
        if (!ring_open(__VA_ARGS__)) {                                                             \
            fprintf(stderr, "%s: skipped: no such ring here\n", __func__);                         \
            return;                                                                                \
        }                                                                                          \
    } while (0)

static int ends[2];

static void open_pipe(void) { ck_assert_int_eq(pipe(ends), 0); }
static void write_pipe(void) { ck_assert_int_eq(write(ends[1], "x", 1), 1); }

static size_t cancelled(void) {
    struct tithe_statistics statistics;
    tithe_get_statistics(&statistics, sizeof statistics);
    return statistics.cancelled;
}

static void require_kept(const struct witnesses *group) {
    size_t before = cancelled();
    witness_churn();
    ck_assert_uint_eq(witness_intact(group), WITNESSES);
    ck_assert_uint_eq(cancelled(), before);
}

static void require_gone(const struct witnesses *group) {
    witness_churn();
    ck_assert_uint_le(witness_intact(group), FEW);
}

/* Nothing at all is collected. */
static void require_unknown(const struct witnesses *group) {
    size_t before = cancelled();
    ck_assert(!tithe_collect());
    ck_assert_uint_gt(cancelled(), before);
    if (group)
        ck_assert_uint_eq(witness_intact(group), WITNESSES);
}

static void submit(struct ring *ring) {
    ring_push(ring);
    ck_assert_int_eq(ring_enter(ring, 1, 0), 1);
}

__attribute__((noinline)) static void poll_for(struct ring *ring, uint64_t data, unsigned flags) {
    struct io_uring_sqe *entry = ring_entry(ring, IORING_OP_POLL_ADD, ends[0]);
    entry->poll32_events = POLLIN;
    entry->len = flags;
    entry->user_data = data;
    submit(ring);
}

__attribute__((noinline)) static void poll_for_all(struct ring *ring, struct witnesses *group) {
    for (unsigned i = 0; i < WITNESSES; i++)
        poll_for(ring, (uintptr_t)witness_make(group, i), 0);
}

/* Takes so many that come back, each of the group, and forgets them. */
__attribute__((noinline)) static void take(struct ring *ring, const struct witnesses *group,
                                           unsigned count) {
    uint64_t hidden;
    int result;
    for (unsigned taken = 0; taken < count;) {
        if (!ring_pop(ring, &hidden, &result)) {
            ck_assert_int_ge(ring_enter(ring, 0, 1), 0);
            continue;
        }
        bool known = group == NULL;
        for (unsigned i = 0; group && i < WITNESSES; i++)
            known |= group->hidden[i] == hidden;
        ck_assert(known);
        taken++;
    }
}

/* Both queues are overwritten, as other requests would, because they are roots. */
__attribute__((noinline)) static void wipe_entries(struct ring *ring) {
    for (unsigned i = 0; i < ring->asked.cq_entries + ring->asked.sq_entries; i++) {
        ring_entry(ring, IORING_OP_NOP, -1);
        submit(ring);
        take(ring, NULL, 1);
    }
}

static void require_returned(struct ring *ring, struct witnesses *group) {
    write_pipe();
    take(ring, group, WITNESSES);
    wipe_entries(ring);
    require_gone(group);
}

START_TEST(what_comes_back_with_a_request_is_kept_until_it_does) {
    struct ring ring;
    struct witnesses group;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    poll_for_all(&ring, &group);
    require_kept(&group);
    require_returned(&ring, &group);
    ring_close(&ring);
}
END_TEST

START_TEST(a_registered_ring_is_the_same) {
    struct ring ring;
    struct witnesses group;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    struct io_uring_rsrc_update update = {.offset = -1u, .data = ring.fd};
    if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_RING_FDS, &update, 1) != 1)
        return;
    ring.number = update.offset;
    poll_for_all(&ring, &group);
    require_kept(&group);
    require_returned(&ring, &group);
    ring_close(&ring);
}
END_TEST

START_TEST(a_ring_by_another_descriptor_is_the_same) {
    struct ring ring;
    struct witnesses group;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    int other = dup(ring.fd);
    close(ring.fd);
    int in_place = open("/dev/null", O_RDONLY);
    ring.fd = other;
    poll_for_all(&ring, &group);
    require_kept(&group);
    require_returned(&ring, &group);
    ring_close(&ring);
    close(in_place);
    ck_assert(tithe_collect());
}
END_TEST

/* The queue of what has come back is full, and the kernel keeps the rest. */
START_TEST(what_has_no_room_to_come_back_is_kept) {
    struct ring ring;
    struct witnesses group;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 8, 0, false);
    poll_for_all(&ring, &group);
    write_pipe();
    ring_enter(&ring, 0, 1);
    require_kept(&group);
    take(&ring, &group, WITNESSES);
    wipe_entries(&ring);
    require_gone(&group);
    ring_close(&ring);
}
END_TEST

/* All requests have one and the same name; their buffers are all there is to lose. */
__attribute__((noinline)) static void read_into_all(struct ring *ring, struct witnesses *group,
                                                    unsigned char operation) {
    for (unsigned i = 0; i < WITNESSES; i++) {
        struct iovec vector = {witness_make(group, i), 1};
        struct io_uring_sqe *entry = ring_entry(ring, operation, ends[0]);
        bool plain = operation == IORING_OP_READ;
        entry->addr = plain ? (uintptr_t)vector.iov_base : (uintptr_t)&vector;
        entry->len = 1;
        entry->user_data = 7;
        submit(ring);
    }
}

static void buffers_are_kept(unsigned char operation) {
    struct ring ring;
    struct witnesses group;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    read_into_all(&ring, &group, operation);
    require_kept(&group);
    for (unsigned i = 0; i < WITNESSES; i++)
        write_pipe();
    take(&ring, NULL, WITNESSES);
    wipe_entries(&ring);
    require_gone(&group);
    ring_close(&ring);
}

START_TEST(buffers_of_requests_of_one_name_are_kept) { buffers_are_kept(IORING_OP_READ); }
END_TEST

/* The vector is on the stack, and gone when the call returns. */
START_TEST(buffers_that_a_vector_leads_to_are_kept) { buffers_are_kept(IORING_OP_READV); }
END_TEST

__attribute__((noinline)) static void link_all(struct ring *ring, struct witnesses *group) {
    for (unsigned i = 0; i < WITNESSES; i += 2) {
        struct io_uring_sqe *entry = ring_entry(ring, IORING_OP_POLL_ADD, ends[0]);
        entry->poll32_events = POLLIN;
        entry->flags = IOSQE_IO_LINK;
        entry->user_data = (uintptr_t)witness_make(group, i);
        ring_push(ring);
        entry = ring_entry(ring, IORING_OP_NOP, -1);
        entry->user_data = (uintptr_t)witness_make(group, i + 1);
        ring_push(ring);
        ck_assert_int_eq(ring_enter(ring, 2, 0), 2);
    }
}

START_TEST(a_request_that_waits_for_another_is_kept) {
    struct ring ring;
    struct witnesses group;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    link_all(&ring, &group);
    require_kept(&group);
    require_returned(&ring, &group);
    ring_close(&ring);
}
END_TEST

/* One that comes back again and again is not done with the first time. */
START_TEST(a_request_that_comes_back_more_than_once_is_kept) {
    struct ring ring;
    struct witnesses group;
    char byte;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    for (unsigned i = 0; i < WITNESSES; i++)
        poll_for(&ring, (uintptr_t)witness_make(&group, i), IORING_POLL_ADD_MULTI);
    write_pipe();
    take(&ring, &group, WITNESSES);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    wipe_entries(&ring);
    require_kept(&group);
    ring_entry(&ring, IORING_OP_ASYNC_CANCEL, -1)->cancel_flags = IORING_ASYNC_CANCEL_ANY;
    submit(&ring);
    take(&ring, NULL, WITNESSES + 1);
    wipe_entries(&ring);
    require_gone(&group);
    ring_close(&ring);
}
END_TEST

/* What one ring sends another lies in neither when the other's queue is full. */
__attribute__((noinline)) static void send_all(struct ring *from, const struct ring *to,
                                               struct witnesses *group) {
    for (unsigned i = 0; i < WITNESSES; i++) {
        struct io_uring_sqe *entry = ring_entry(from, IORING_OP_MSG_RING, to->fd);
        entry->off = (uintptr_t)witness_make(group, i);
        submit(from);
    }
    take(from, NULL, WITNESSES);
    wipe_entries(from);
}

START_TEST(a_message_to_another_ring_is_kept) {
    struct ring from, to;
    struct witnesses group;
    OPEN_OR_SKIP(&from, 8, 256, 0, false);
    OPEN_OR_SKIP(&to, 8, 8, 0, false);
    send_all(&from, &to, &group);
    require_kept(&group);
    take(&to, &group, WITNESSES);
    wipe_entries(&to);
    require_gone(&group);
    ring_close(&from);
    ring_close(&to);
}
END_TEST

/* A message of the same name as a request that is under way is not the request's end. */
START_TEST(a_message_does_not_end_a_request_of_its_name) {
    struct ring from, to;
    struct witnesses group;
    open_pipe();
    OPEN_OR_SKIP(&from, 8, 256, 0, false);
    OPEN_OR_SKIP(&to, 8, 256, 0, false);
    poll_for_all(&to, &group);
    for (unsigned i = 0; i < WITNESSES; i++) {
        struct io_uring_sqe *entry = ring_entry(&from, IORING_OP_MSG_RING, to.fd);
        entry->off = ~group.hidden[i];
        submit(&from);
    }
    take(&to, &group, WITNESSES);
    take(&from, NULL, WITNESSES);
    wipe_entries(&from);
    wipe_entries(&to);
    require_kept(&group);
    require_returned(&to, &group);
    ring_close(&from);
    ring_close(&to);
}
END_TEST

__attribute__((noinline)) static void provide_all(struct ring *ring, struct witnesses *group) {
    for (unsigned i = 0; i < WITNESSES; i++) {
        struct io_uring_sqe *entry = ring_entry(ring, IORING_OP_PROVIDE_BUFFERS, 1);
        entry->addr = (uintptr_t)witness_make(group, i);
        entry->len = WITNESS_BYTES;
        entry->off = i;
        submit(ring);
    }
    take(ring, NULL, WITNESSES);
    wipe_entries(ring);
}

START_TEST(provided_buffers_are_kept_until_the_ring_is_closed) {
    struct ring ring;
    struct witnesses group;
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    provide_all(&ring, &group);
    require_kept(&group);
    ring_close(&ring);
    require_gone(&group);
}
END_TEST

/* A tag comes back when its buffer is let go. */
__attribute__((noinline)) static bool register_all(struct ring *ring, struct witnesses *buffers,
                                                   struct witnesses *tags) {
    struct iovec vectors[WITNESSES];
    uint64_t names[WITNESSES];
    for (unsigned i = 0; i < WITNESSES; i++) {
        vectors[i] = (struct iovec){witness_make(buffers, i), WITNESS_BYTES};
        names[i] = (uintptr_t)witness_make(tags, i);
    }
    struct io_uring_rsrc_register request = {
        .nr = WITNESSES, .data = (uintptr_t)vectors, .tags = (uintptr_t)names};
    return syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS2, &request,
                   sizeof request) == 0;
}

START_TEST(registered_buffers_and_their_tags_are_kept) {
    struct ring ring;
    struct witnesses buffers, tags;
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    if (!register_all(&ring, &buffers, &tags))
        return;
    require_kept(&buffers);
    require_kept(&tags);
    ck_assert_int_eq(syscall(SYS_io_uring_register, ring.fd, IORING_UNREGISTER_BUFFERS, NULL, 0),
                     0);
    take(&ring, &tags, WITNESSES);
    wipe_entries(&ring);
    require_gone(&buffers);
    require_gone(&tags);
    ring_close(&ring);
}
END_TEST

__attribute__((noinline)) static void add_to_epoll(struct ring *ring, int epoll,
                                                   struct witnesses *group) {
    for (unsigned i = 0; i < WITNESSES; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = witness_make(group, i)};
        struct io_uring_sqe *entry = ring_entry(ring, IORING_OP_EPOLL_CTL, epoll);
        entry->off = dup(ends[0]);
        entry->len = EPOLL_CTL_ADD;
        entry->addr = (uintptr_t)&event;
        submit(ring);
    }
    take(ring, NULL, WITNESSES);
    wipe_entries(ring);
}

START_TEST(what_a_ring_gives_to_epoll_is_kept_after_the_ring) {
    struct ring ring;
    struct witnesses group;
    int epoll = epoll_create1(0);
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    add_to_epoll(&ring, epoll, &group);
    ring_close(&ring);
    require_kept(&group);
}
END_TEST

/* A ring of which nobody sees what goes in. */
START_TEST(a_bare_ring_stops_the_collecting_while_it_is_there) {
    struct ring ring;
    struct witnesses group;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, true);
    poll_for_all(&ring, &group);
    require_unknown(&group);
    witness_churn();
    require_unknown(&group);
    write_pipe();
    take(&ring, &group, WITNESSES);
    ring_close(&ring);
    ck_assert(tithe_collect());
    require_gone(&group);
}
END_TEST

static volatile int waits_begun;

static void *wait_for_ring(void *ring) {
    waits_begun = 1;
    return (void *)(intptr_t)ring_enter(ring, 0, 1);
}

/* Nobody makes the call again for such a program, so no stop must break it. */
START_TEST(a_wait_for_a_bare_ring_is_not_broken) {
    struct ring ring;
    pthread_t waiter;
    void *result;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, true);
    poll_for(&ring, 1, 0);
    ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_ring, &ring), 0);
    while (!waits_begun)
        usleep(1000);
    usleep(10000);
    for (int i = 0; i < 20; i++)
        ck_assert(!tithe_collect());
    write_pipe();
    pthread_join(waiter, &result);
    ck_assert_int_ge((intptr_t)result, 0);
    ring_close(&ring);
}
END_TEST

START_TEST(a_bare_call_for_a_known_ring_is_found_out) {
    struct ring ring;
    struct witnesses group;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    ck_assert(tithe_collect());
    ring.bare = true;
    poll_for_all(&ring, &group);
    ring.bare = false;
    require_unknown(&group);
    wipe_entries(&ring);
    require_unknown(&group);
    ring_close(&ring);
    ck_assert(tithe_collect());
}
END_TEST

/* The kernel takes what is in the queue by itself. */
START_TEST(a_ring_with_a_thread_of_the_kernels_stops_the_collecting) {
    struct ring ring;
    struct witnesses group;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, IORING_SETUP_SQPOLL, false);
    poll_for(&ring, (uintptr_t)witness_make(&group, 0), 0);
    require_unknown(NULL);
    ring_close(&ring);
    ck_assert(tithe_collect());
}
END_TEST

/* Its memory is the program's, so no map tells of it. */
START_TEST(a_bare_ring_without_maps_is_found) {
    struct io_uring_params asked = {.flags = 1 << 14}; /* IORING_SETUP_NO_MMAP */
    char *memory = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    asked.cq_off.resv2 = (uintptr_t)memory;
    asked.sq_off.resv2 = (uintptr_t)memory + 4096;
    int fd = syscall_raw(SYS_io_uring_setup, 8, (long)&asked, 0, 0, 0, 0);
    if (fd < 0)
        return;
    require_unknown(NULL);
    close(fd);
    ck_assert(tithe_collect());
}
END_TEST

/* A file is read by a thread that the kernel adds to the process. */
START_TEST(the_kernels_own_threads_do_not_stop_the_collecting) {
    struct ring ring;
    static char buffer[4096];
    OPEN_OR_SKIP(&ring, 8, 0, 0, false);
    int file = open("/proc/self/exe", O_RDONLY);
    struct io_uring_sqe *entry = ring_entry(&ring, IORING_OP_READ, file);
    entry->addr = (uintptr_t)buffer;
    entry->len = sizeof buffer;
    entry->flags = IOSQE_ASYNC;
    submit(&ring);
    take(&ring, NULL, 1);
    ck_assert(tithe_collect());
    ring_close(&ring);
}
END_TEST

START_TEST(rings_may_come_and_go) {
    struct ring ring;
    open_pipe();
    for (int i = 0; i < 100; i++) {
        OPEN_OR_SKIP(&ring, 4, 0, 0, false);
        poll_for(&ring, (uintptr_t)malloc(100), 0);
        if (i % 10 == 0)
            ck_assert(tithe_collect());
        ring_close(&ring);
        if (i % 10 == 5)
            ck_assert(tithe_collect());
    }
}
END_TEST

/* In the child of a fork what was under way is kept, and the parent's doings stop nothing once the
 * child has closed the ring. */
START_TEST(a_child_keeps_what_was_under_way) {
    struct ring ring;
    struct witnesses group;
    int status;
    open_pipe();
    OPEN_OR_SKIP(&ring, 8, 256, 0, false);
    poll_for_all(&ring, &group);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        witness_churn();
        bool kept = witness_intact(&group) == WITNESSES;
        ring_close(&ring);
        bool collects = tithe_collect();
        _exit(kept && collects ? 42 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    require_kept(&group);
    ring_close(&ring);
}
END_TEST

/* The options are read when the program is loaded. */
static int run_stopped(const char *program) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        setenv("TITHE_OPTIONS", "dirty=none", 1);
        setenv("RINGS_STOPPED", "1", 1);
        execl(program, program, NULL);
        _exit(127);
    }
    return waitpid(child, &status, 0) != child || status != 0;
}

int main(int count, char **arguments) {
    (void)count;
    const TTest *const tests[] = {
        what_comes_back_with_a_request_is_kept_until_it_does,
        a_registered_ring_is_the_same,
        a_ring_by_another_descriptor_is_the_same,
        what_has_no_room_to_come_back_is_kept,
        buffers_of_requests_of_one_name_are_kept,
        buffers_that_a_vector_leads_to_are_kept,
        a_request_that_waits_for_another_is_kept,
        a_request_that_comes_back_more_than_once_is_kept,
        a_message_to_another_ring_is_kept,
        a_message_does_not_end_a_request_of_its_name,
        provided_buffers_are_kept_until_the_ring_is_closed,
        registered_buffers_and_their_tags_are_kept,
        what_a_ring_gives_to_epoll_is_kept_after_the_ring,
        a_bare_ring_stops_the_collecting_while_it_is_there,
        a_wait_for_a_bare_ring_is_not_broken,
        a_bare_call_for_a_known_ring_is_found_out,
        a_ring_with_a_thread_of_the_kernels_stops_the_collecting,
        a_bare_ring_without_maps_is_found,
        the_kernels_own_threads_do_not_stop_the_collecting,
        rings_may_come_and_go,
        a_child_keeps_what_was_under_way,
    };
    int failed = SUITE_RUN("rings", tests, 60);
    return getenv("RINGS_STOPPED") ? failed : run_stopped(arguments[0]) | failed;
}
