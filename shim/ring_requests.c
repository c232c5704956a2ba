/* What goes into a ring and comes back: reading the ring's entries; see rings.h.
 *
 * An entry holds what comes back with it, and addresses; all of its words are taken for either. The
 * vectors that some operations lead to may be gone when the call returns, so what they lead to is
 * recorded, too. An entry that was recorded and not taken may be recorded again, if the program has
 * changed it meanwhile: that keeps too much, never too little.
 */
#include "rings.h"

#include "kernel_held.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    MOST_VECTORS = 1024, /* the kernel's own limit */
    VECTORS_AT_ONCE = 16,
    ENTRIES_AT_ONCE = 16,
    LONGEST_ENTRY = 128,
    WORDS = LONGEST_ENTRY / sizeof(uint64_t)
};

/* Newer than Debian 12's headers, as linux/io_uring.h has them. */
enum {
    OPERATION_READ_VECTOR_FIXED = 60,
    OPERATION_WRITE_VECTOR_FIXED = 61,
    SEND_VECTORS = 1 << 5, /* in ioprio */
};

static void add_vectors(struct ring *ring, uint64_t name, uint64_t from, uint64_t count) {
    struct iovec vectors[VECTORS_AT_ONCE];
    for (uint64_t done = 0; done < count && done < MOST_VECTORS;) {
        size_t some = count - done < VECTORS_AT_ONCE ? count - done : VECTORS_AT_ONCE;
        if (!requests_read(vectors, from + done * sizeof *vectors, some * sizeof *vectors))
            return; /* nor can the kernel */
        for (size_t i = 0; i < some; i++)
            requests_add(&ring->requests, name, (uintptr_t)vectors[i].iov_base);
        done += some;
    }
}

static void add_message(struct ring *ring, uint64_t name, uint64_t from) {
    struct msghdr message;
    if (!requests_read(&message, from, sizeof message))
        return;
    requests_add(&ring->requests, name, (uintptr_t)message.msg_name);
    requests_add(&ring->requests, name, (uintptr_t)message.msg_control);
    requests_add(&ring->requests, name, (uintptr_t)message.msg_iov);
    add_vectors(ring, name, (uintptr_t)message.msg_iov, message.msg_iovlen);
}

static void add_what_it_leads_to(struct ring *ring, const struct io_uring_sqe *entry) {
    switch (entry->opcode) {
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
    case OPERATION_READ_VECTOR_FIXED:
    case OPERATION_WRITE_VECTOR_FIXED:
        add_vectors(ring, entry->user_data, entry->addr, entry->len);
        break;
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC:
        if (entry->ioprio & SEND_VECTORS)
            add_vectors(ring, entry->user_data, entry->addr, entry->len);
        break;
    case IORING_OP_SENDMSG:
    case IORING_OP_RECVMSG:
    case IORING_OP_SENDMSG_ZC:
        add_message(ring, entry->user_data, entry->addr);
        break;
    default:
        break;
    }
}

/* It comes back from another ring, or from any if that is not known. */
static void record_message(const struct io_uring_sqe *entry) {
    bool registered = entry->flags & IOSQE_FIXED_FILE;
    struct ring *target = registered ? NULL : ring_of(entry->fd);
    uint64_t word = entry->off;
    if (target)
        requests_submit(&target->requests, word, &word, 1);
    for (struct ring *ring = rings_first(); ring && registered; ring = ring->next)
        requests_keep(&ring->requests, word, word);
}

static void record_event(const struct io_uring_sqe *entry) {
    struct epoll_event event;
    if (entry->len != EPOLL_CTL_DEL && requests_read(&event, entry->addr, sizeof event))
        kernel_held_set_locked(HELD_BY_EPOLL, entry->fd, entry->off, event.data.u64);
}

/* What the operation does that does not end when it comes back. */
static void record_effect(struct ring *ring, const struct io_uring_sqe *entry) {
    switch (entry->opcode) {
    case IORING_OP_MSG_RING:
        record_message(entry);
        break;
    case IORING_OP_PROVIDE_BUFFERS:
        requests_keep(&ring->given, 0, entry->addr);
        break;
    case IORING_OP_POLL_REMOVE: /* may change what comes back with another request */
        if (entry->len & IORING_POLL_UPDATE_USER_DATA)
            requests_keep(&ring->requests, entry->off, entry->off);
        break;
    case IORING_OP_EPOLL_CTL:
        record_event(entry);
        break;
    default:
        break;
    }
}

/* A request that is not to come back when it succeeds may come back or not. */
void ring_record_entry(struct ring *ring, const unsigned char *bytes) {
    uint64_t words[WORDS];
    struct io_uring_sqe entry;
    memcpy(words, bytes, ring->submission_bytes);
    memcpy(&entry, bytes, sizeof entry);
    requests_submit(&ring->requests, entry.user_data, words,
                    ring->submission_bytes / sizeof *words);
    if (entry.flags & IOSQE_CQE_SKIP_SUCCESS)
        requests_keep(&ring->requests, entry.user_data, entry.user_data);
    add_what_it_leads_to(ring, &entry);
    record_effect(ring, &entry);
}

static uint64_t print_of(const unsigned char *bytes, size_t count) {
    uint64_t print = 1, word;
    for (size_t i = 0; i < count; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        print = (print ^ word) * 0x9e3779b97f4a7c15u;
        print ^= print >> 29;
    }
    return print;
}

/* The place of a request's entry. False for one that the kernel drops, or that cannot be read. */
static bool place_of(struct ring *ring, uint32_t number, uint32_t *place) {
    uint32_t slot = number & (ring->submission_entries - 1);
    *place = slot;
    return ring->is_straight ||
           (ring_read(ring, place, ring->rings + ring->submission.array + slot * sizeof *place,
                      sizeof *place) &&
            *place < ring->submission_entries);
}

static bool record_number(struct ring *ring, uint32_t number) {
    unsigned char bytes[LONGEST_ENTRY];
    uint32_t place;
    if (!place_of(ring, number, &place))
        return true;
    if (!ring_read(ring, bytes, ring->entries + (uintptr_t)place * ring->submission_bytes,
                   ring->submission_bytes))
        return false;
    uint64_t *print = &ring->prints[number & (ring->submission_entries - 1)];
    uint64_t now = print_of(bytes, ring->submission_bytes);
    if ((int32_t)(number - ring->recorded) < 0 && *print == now)
        return true;
    *print = now;
    ring_record_entry(ring, bytes);
    return true;
}

void ring_record(struct ring *ring, uint32_t count) {
    uint32_t head, end;
    if (!ring_read(ring, &head, ring->rings + ring->submission.head, sizeof head) ||
        !ring_read(ring, &end, ring->rings + ring->submission.tail, sizeof end)) {
        ring_lose(ring, "the memory of a ring is not where it was");
        return;
    }
    if ((int32_t)(head - ring->recorded) > 0 || end - head > ring->submission_entries) {
        ring_lose(ring, "requests went into a ring unseen");
        return;
    }
    end = end - head > count ? head + count : end;
    for (uint32_t number = head; number != end; number++)
        if (!record_number(ring, number)) {
            ring_lose(ring, "the memory of a ring is not where it was");
            return;
        }
    if ((int32_t)(end - ring->recorded) > 0)
        ring->recorded = end;
}

/* The entries from first on, as many as lie side by side; how many is told. */
static bool read_completions(struct ring *ring, uint32_t first, uint32_t *count,
                             unsigned char *bytes) {
    uint32_t slot = first & (ring->completion_entries - 1);
    uint32_t side_by_side = ring->completion_entries - slot;
    *count = *count < side_by_side ? *count : side_by_side;
    *count = *count < ENTRIES_AT_ONCE ? *count : ENTRIES_AT_ONCE;
    return ring_read(ring, bytes,
                     ring->rings + ring->completion.cqes + (uintptr_t)slot * ring->completion_bytes,
                     (size_t)*count * ring->completion_bytes);
}

static bool read_tail(struct ring *ring, uint32_t *tail) {
    bool done = ring_read(ring, tail, ring->rings + ring->completion.tail, sizeof *tail);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return done;
}

/* What was overwritten before it was looked at is never known to have come back. What has come back
 * lies in the ring, which is a root, until the program has it. */
void ring_look(struct ring *ring) {
    unsigned char bytes[ENTRIES_AT_ONCE * 32];
    uint32_t tail, now;
    if (!read_tail(ring, &tail))
        return;
    while (ring->seen != tail) {
        if (tail - ring->seen > ring->completion_entries)
            ring->seen = tail - ring->completion_entries;
        uint32_t count = tail - ring->seen;
        if (!read_completions(ring, ring->seen, &count, bytes) || !read_tail(ring, &now))
            return;
        for (uint32_t i = 0; i < count; i++) {
            struct io_uring_cqe entry;
            memcpy(&entry, bytes + (size_t)i * ring->completion_bytes, sizeof entry);
            bool whole = now - (ring->seen + i) <= ring->completion_entries;
            if (whole && !(entry.flags & IORING_CQE_F_MORE))
                requests_finish(&ring->requests, entry.user_data);
        }
        ring->seen += count;
    }
}
