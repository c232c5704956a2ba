/* What is registered with rings: buffers, tags, and numbers that stand for rings; see rings.h. */
#include "rings.h"

#include "os/tasks.h"

#include <sys/uio.h>

/* What stands for a ring in io_uring_enter, in the task that registered it. */
struct registration {
    int task;
    unsigned number;
    struct ring *ring;
};

enum { MOST_REGISTRATIONS = 4096 };
static struct registration *registrations;
static size_t registration_count;

struct ring *ring_of_number(unsigned number) {
    int task = tasks_self();
    for (size_t i = 0; i < registration_count; i++)
        if (registrations[i].ring && registrations[i].task == task &&
            registrations[i].number == number)
            return registrations[i].ring;
    return NULL;
}

void ring_forget_numbers(const struct ring *ring) {
    for (size_t i = 0; i < registration_count; i++)
        if (registrations[i].ring == ring)
            registrations[i].ring = NULL;
}

static void note_registration(struct ring *ring, unsigned number) {
    if (registrations == NULL)
        registrations = requests_take(MOST_REGISTRATIONS * sizeof *registrations);
    size_t at = 0;
    while (at < registration_count && registrations[at].ring)
        at++;
    if (registrations == NULL || at == MOST_REGISTRATIONS)
        return; /* what goes in by that number will be missed, and be seen to be */
    registrations[at] = (struct registration){tasks_self(), number, ring};
    registration_count += at == registration_count;
}

static void forget_registration(unsigned number) {
    int task = tasks_self();
    for (size_t i = 0; i < registration_count; i++)
        if (registrations[i].task == task && registrations[i].number == number)
            registrations[i].ring = NULL;
}

/* struct io_uring_rsrc_register and io_uring_rsrc_update2 begin alike but for their first words. */
struct resources {
    uint32_t first, second;
    uint64_t padding, data, tags;
};

static void keep_buffers(struct ring *ring, const struct iovec *vectors, size_t count) {
    for (size_t i = 0; vectors && i < count; i++)
        requests_keep(&ring->buffers, 0, (uintptr_t)vectors[i].iov_base);
}

/* A tag comes back as a request does, when its buffer or file is let go. */
static void keep_tags(struct ring *ring, const uint64_t *tags, size_t count) {
    for (size_t i = 0; tags && i < count; i++)
        if (tags[i])
            requests_submit(&ring->requests, tags[i], &tags[i], 1);
}

enum registration_kind {
    REGISTER_SEND_MESSAGE = 31,
    REGISTER_RESIZED_RINGS = 33,
    REGISTER_LAST_KNOWN = 36
};

static void note_operation(struct ring *ring, unsigned operation, const void *argument,
                           unsigned count) {
    const struct resources *resources = argument;
    const uint64_t *words = argument;
    switch (operation) {
    case IORING_REGISTER_BUFFERS:
        keep_buffers(ring, argument, count);
        break;
    case IORING_UNREGISTER_BUFFERS:
        requests_drop_all(&ring->buffers);
        break;
    case IORING_REGISTER_BUFFERS2:
        keep_tags(ring, (const uint64_t *)resources->tags, resources->first);
        keep_buffers(ring, (const struct iovec *)resources->data, resources->first);
        break;
    case IORING_REGISTER_BUFFERS_UPDATE: /* ends with the number */
        keep_tags(ring, (const uint64_t *)words[2], (uint32_t)words[3]);
        keep_buffers(ring, (const struct iovec *)words[1], (uint32_t)words[3]);
        break;
    case IORING_REGISTER_FILES2:
        keep_tags(ring, (const uint64_t *)resources->tags, resources->first);
        break;
    case IORING_REGISTER_FILES_UPDATE2:
        keep_tags(ring, (const uint64_t *)words[2], (uint32_t)words[3]);
        break;
    case IORING_REGISTER_PBUF_RING:
        requests_keep(&ring->given, 0, words[0]);
        break;
    default:
        if (operation == REGISTER_RESIZED_RINGS || operation > REGISTER_LAST_KNOWN)
            ring_lose(ring, "a ring was changed in an unknown way");
    }
}

static void note_numbers(const struct io_uring_rsrc_update *updates, unsigned count, bool drops) {
    for (unsigned i = 0; i < count; i++) {
        struct ring *ring = drops ? NULL : ring_of(updates[i].data);
        forget_registration(updates[i].offset);
        if (ring)
            note_registration(ring, updates[i].offset);
    }
}

void rings_registered(int fd, unsigned operation, const void *argument, unsigned count) {
    bool is_number = operation & 1u << 31;
    operation &= ~(1u << 31);
    if (!rings_are_watched())
        return;
    struct requests_lock lock = requests_lock();
    struct ring *ring = is_number ? ring_of_number(fd) : ring_of(fd);
    if (operation == IORING_REGISTER_RING_FDS || operation == IORING_UNREGISTER_RING_FDS)
        note_numbers(argument, count, operation == IORING_UNREGISTER_RING_FDS);
    else if (ring)
        note_operation(ring, operation, argument, count);
    requests_unlock(lock);
}

void rings_before_message(const void *entry) {
    if (!rings_are_watched())
        return;
    struct requests_lock lock = requests_lock();
    struct ring *ring = ring_of(((const struct io_uring_sqe *)entry)->fd);
    uint64_t word = ((const struct io_uring_sqe *)entry)->off;
    if (ring)
        requests_submit(&ring->requests, word, &word, 1);
    requests_unlock(lock);
}
