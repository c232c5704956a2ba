/* The rings there are, where their memory lies, and what is done before they are entered; see
 * rings.h. */
#include "rings.h"

#include "cycle/cycle.h"
#include "os/maps.h"
#include "os/permitted.h"
#include "os/syscall.h"
#include "os/tasks.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* Newer than Debian 12's headers, as linux/io_uring.h has them. */
enum {
    SETUP_NO_MMAP = 1 << 14,
    SETUP_REGISTERED_ONLY = 1 << 15,
    SETUP_NO_ARRAY = 1 << 16,
    SETUP_HYBRID_POLL = 1 << 17,
    SETUPS_KNOWN = IORING_SETUP_IOPOLL | IORING_SETUP_SQ_AFF | IORING_SETUP_CQSIZE |
                   IORING_SETUP_CLAMP | IORING_SETUP_ATTACH_WQ | IORING_SETUP_R_DISABLED |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                   IORING_SETUP_SQE128 | IORING_SETUP_CQE32 | IORING_SETUP_SINGLE_ISSUER |
                   IORING_SETUP_DEFER_TASKRUN | SETUP_NO_MMAP | SETUP_NO_ARRAY | SETUP_HYBRID_POLL
};

static struct ring *first;

struct ring *rings_first(void) {
    return first;
}

void ring_lose(struct ring *ring, const char *why) {
    if (ring->opaque == NULL)
        ring->opaque = why;
}

struct ring *ring_of_inode(uint64_t device, uint64_t inode) {
    struct ring *ring = first;
    while (ring && (ring->inode != inode || ring->device != device))
        ring = ring->next;
    return ring;
}

struct ring *ring_of(int fd) {
    struct stat status;
    if (first == NULL || system_call(SYS_fstat, fd, &status) != 0)
        return NULL;
    return ring_of_inode(status.st_dev, status.st_ino);
}

static bool copy(void *to, uintptr_t from, size_t bytes) {
    struct iovec local = {to, bytes}, remote = {(void *)from, bytes};
    return system_call(SYS_process_vm_readv, tasks_self(), &local, 1, &remote, 1, 0) == (long)bytes;
}

bool ring_read(struct ring *ring, void *to, uintptr_t from, size_t bytes) {
    if (ring->copies)
        return copy(to, from, bytes);
    memcpy(to, (const void *)from, bytes);
    return true;
}

/* Before Linux 6.10 the memory of rings cannot be copied by the kernel. */
void ring_note_copies(struct ring *ring) {
    uint32_t word;
    ring->copies = permitted(PERMITTED_READING) && copy(&word, ring->rings, sizeof word);
}

static const char *why_opaque(const struct io_uring_params *params) {
    if (params->flags & IORING_SETUP_SQPOLL)
        return "the kernel takes requests from a ring by itself";
    if (params->flags & SETUP_REGISTERED_ONLY)
        return "a ring has no descriptor";
    if (params->flags & ~(unsigned)SETUPS_KNOWN || !(params->features & IORING_FEAT_SINGLE_MMAP))
        return "a ring is of an unknown kind";
    return NULL;
}

/* The last word of the offsets tells where memory of the program's own is. Its name in headers has
 * changed: resv2, then user_addr. */
static uint64_t own_address(const void *offsets, size_t bytes) {
    uint64_t address;
    memcpy(&address, (const char *)offsets + bytes - sizeof address, sizeof address);
    return address;
}

/* Memory of the program's own: the kernel keeps it in use. */
static void note_own_memory(struct ring *ring, const struct io_uring_params *params) {
    ring->rings = own_address(&params->cq_off, sizeof params->cq_off);
    ring->entries = own_address(&params->sq_off, sizeof params->sq_off);
    requests_keep(&ring->given, 0, ring->rings);
    requests_keep(&ring->given, 0, ring->entries);
    ring->own_memory = true;
    ring_note_copies(ring);
}

static void fill(struct ring *ring, int fd, const struct io_uring_params *params) {
    struct stat status = {0};
    if (!(params->flags & SETUP_REGISTERED_ONLY))
        system_call(SYS_fstat, fd, &status);
    ring->fd = fd;
    ring->device = status.st_dev;
    ring->inode = status.st_ino;
    ring->opaque = why_opaque(params);
    ring->submission = params->sq_off;
    ring->completion = params->cq_off;
    ring->submission_entries = params->sq_entries;
    ring->completion_entries = params->cq_entries;
    ring->submission_bytes = params->flags & IORING_SETUP_SQE128 ? 128 : 64;
    ring->completion_bytes = params->flags & IORING_SETUP_CQE32 ? 32 : 16;
    ring->is_straight = params->flags & SETUP_NO_ARRAY;
    ring->prints = requests_take(params->sq_entries * sizeof *ring->prints);
    if (ring->prints == NULL)
        requests_lose();
    if (params->flags & SETUP_NO_MMAP)
        note_own_memory(ring, params);
}

/* Old kernels give all rings one and the same number. */
static void note_ambiguous(struct ring *ring) {
    struct ring *other = ring_of_inode(ring->device, ring->inode);
    if (other && ring->inode) {
        ring_lose(other, "rings cannot be told apart");
        ring_lose(ring, "rings cannot be told apart");
    }
}

void rings_set_up(int fd, const struct io_uring_params *params) {
    struct requests_lock lock = requests_lock();
    struct ring *ring = requests_take(sizeof *ring);
    if (ring == NULL) {
        requests_lose();
    } else {
        fill(ring, fd, params);
        note_ambiguous(ring);
        ring->next = first;
        first = ring;
    }
    requests_unlock(lock);
}

void ring_forget(struct ring *ring) {
    struct ring **at = &first;
    while (*at != ring)
        at = &(*at)->next;
    *at = ring->next;
    requests_drop_all(&ring->requests);
    requests_drop_all(&ring->buffers);
    requests_drop_all(&ring->given);
    requests_give(ring->prints, ring->submission_entries * sizeof *ring->prints);
    ring_forget_numbers(ring);
    requests_give(ring, sizeof *ring);
}

/* Where a ring's memory lies, found in the list of maps. */
struct place {
    uint64_t inode;
    uintptr_t rings, entries;
};

static void find_place(const struct map *map, void *context) {
    struct place *place = context;
    if (map->requests != MAP_RING || map->inode != place->inode)
        return;
    if (map->offset == IORING_OFF_SQ_RING || map->offset == IORING_OFF_CQ_RING)
        place->rings = map->start;
    else if (map->offset == IORING_OFF_SQES)
        place->entries = map->start;
}

static void look_for_place(void *place) { maps_each(find_place, place); }

/* Without the lock, because it takes another stack, on which one can be stopped. */
static void locate(int fd) {
    struct requests_lock lock = requests_lock();
    struct ring *ring = ring_of(fd);
    struct place place = {.inode = ring ? ring->inode : 0};
    bool wanted = ring && ring->opaque == NULL && (ring->rings == 0 || ring->entries == 0);
    requests_unlock(lock);
    if (!wanted || !cycle_with_maps(look_for_place, &place))
        return;
    lock = requests_lock();
    ring = ring_of(fd);
    if (ring && ring->inode == place.inode && place.rings && place.entries) {
        ring->rings = place.rings;
        ring->entries = place.entries;
        ring_note_copies(ring);
    }
    requests_unlock(lock);
}

enum { ENTER_REGISTERED = 1 << 4 }; /* IORING_ENTER_REGISTERED_RING */

bool rings_are_watched(void) { return first && !cycle_is_ended(); }

static void before(int fd, bool is_number, uint32_t count) {
    struct requests_lock lock = requests_lock();
    struct ring *ring = is_number ? ring_of_number(fd) : ring_of(fd);
    int own = ring ? ring->fd : -1;
    bool located = ring == NULL || ring->opaque || (ring->rings && ring->entries);
    requests_unlock(lock);
    if (!located)
        locate(is_number ? own : fd);
    lock = requests_lock();
    ring = is_number ? ring_of_number(fd) : ring_of(fd);
    if (ring && ring->opaque == NULL && ring->rings && ring->entries) {
        ring_look(ring);
        ring_record(ring, count);
    }
    requests_unlock(lock);
}

void rings_before_enter(int fd, uint32_t count, unsigned flags) {
    if (rings_are_watched())
        before(fd, flags & ENTER_REGISTERED, count);
}

void rings_after_fork(void) {
    rings_forget_look();
    for (struct ring *ring = first; ring; ring = ring->next) {
        ring_forget_numbers(ring);
        ring->inherited = true;
    }
}
