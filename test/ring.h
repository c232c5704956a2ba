/* A ring of io_uring, without liburing, by libc's syscall or by bare instructions.
 *
 * One thread uses a ring at a time. What comes back is told complemented, so that a test that
 * remembers it holds nothing.
 */
#ifndef TITHE_TEST_RING_H
#define TITHE_TEST_RING_H

#include "os/syscall.h"

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
    int fd, number; /* number: registered in place of the descriptor, or -1 */
    bool bare;      /* the calls of it are made by bare instructions */
    char *memory;
    size_t bytes;
    struct io_uring_sqe *entries;
    struct io_uring_params asked;
};

static inline unsigned *ring_word(const struct ring *ring, unsigned offset) {
    return (unsigned *)(void *)(ring->memory + offset);
}

/* False when the kernel has none, or none of this kind. */
static inline bool ring_open(struct ring *ring, unsigned entries, unsigned completions,
                             unsigned flags, bool bare) {
    memset(ring, 0, sizeof *ring);
    struct io_uring_params *asked = &ring->asked;
    asked->flags = flags | (completions ? IORING_SETUP_CQSIZE : 0);
    asked->cq_entries = completions;
    ring->number = -1;
    ring->bare = bare;
    ring->fd = bare ? syscall_raw(SYS_io_uring_setup, entries, (long)asked, 0, 0, 0, 0)
                    : syscall(SYS_io_uring_setup, entries, asked);
    if (ring->fd < 0)
        return false;
    size_t taken = asked->sq_off.array + asked->sq_entries * sizeof(unsigned);
    ring->bytes = asked->cq_off.cqes + asked->cq_entries * sizeof(struct io_uring_cqe);
    ring->bytes = ring->bytes > taken ? ring->bytes : taken;
    ring->memory = mmap(NULL, ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                        ring->fd, IORING_OFF_SQ_RING);
    ring->entries = mmap(NULL, asked->sq_entries * sizeof *ring->entries, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
    return ring->memory != MAP_FAILED && (void *)ring->entries != MAP_FAILED;
}

static inline void ring_close(struct ring *ring) {
    munmap(ring->memory, ring->bytes);
    munmap(ring->entries, ring->asked.sq_entries * sizeof *ring->entries);
    close(ring->fd);
}

static inline unsigned ring_mask(const struct ring *ring) { return ring->asked.sq_entries - 1; }

/* The next entry, empty; it is pushed when it is filled. */
static inline struct io_uring_sqe *ring_entry(struct ring *ring, unsigned char operation, int fd) {
    unsigned slot = *ring_word(ring, ring->asked.sq_off.tail) & ring_mask(ring);
    struct io_uring_sqe *entry = &ring->entries[slot];
    memset(entry, 0, sizeof *entry);
    entry->opcode = operation;
    entry->fd = fd;
    ring_word(ring, ring->asked.sq_off.array)[slot] = slot;
    return entry;
}

static inline void ring_push(struct ring *ring) {
    unsigned *tail = ring_word(ring, ring->asked.sq_off.tail);
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

static inline int ring_enter(struct ring *ring, unsigned count, unsigned least) {
    unsigned flags = least ? IORING_ENTER_GETEVENTS : 0;
    int fd = ring->number >= 0 ? ring->number : ring->fd;
    flags |= ring->number >= 0 ? 1u << 4 : 0; /* IORING_ENTER_REGISTERED_RING */
    if (ring->bare)
        return syscall_raw(SYS_io_uring_enter, fd, count, least, flags, 0, 0);
    return syscall(SYS_io_uring_enter, fd, count, least, flags, NULL, 0);
}

/* What came back next; false when nothing has. */
static inline bool ring_pop(struct ring *ring, uint64_t *hidden, int *result) {
    unsigned *head = ring_word(ring, ring->asked.cq_off.head);
    unsigned tail = __atomic_load_n(ring_word(ring, ring->asked.cq_off.tail), __ATOMIC_ACQUIRE);
    if (*head == tail)
        return false;
    struct io_uring_cqe *completions = (void *)(ring->memory + ring->asked.cq_off.cqes);
    struct io_uring_cqe *completion = &completions[*head & (ring->asked.cq_entries - 1)];
    *hidden = ~completion->user_data;
    *result = completion->res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return true;
}

#endif
