/* What each of the collector's looks at the roots finds of the rings: which are there still, which
 * nobody has told of, and whether the kernel has taken more than was recorded; see rings.h. */
#include "rings.h"

#include "mark/scan.h"
#include "os/maps.h"
#include "os/syscall.h"
#include "roots/unknown.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_DESCRIPTORS = 65536 };

static const char name_of_rings[] = "anon_inode:[io_uring]";
static const char set_up_unseen[] = "a ring of io_uring was set up unseen";
static bool meets_unknown; /* a map of a ring that nobody has told of, in this walk */

static bool is_ring(int fd) {
    char path[64], name[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    long length = system_call(SYS_readlinkat, AT_FDCWD, path, name, sizeof name);
    return length == sizeof name_of_rings - 1 && memcmp(name, name_of_rings, length) == 0;
}

/* How many descriptors are open. Linux 6.2 tells; rings without maps are younger than that. */
static long count_descriptors(void) {
    struct stat status;
    if (system_call(SYS_newfstatat, AT_FDCWD, "/proc/self/fd", &status, 0) != 0)
        return -1;
    return status.st_size > 0 ? status.st_size : -1;
}

/* Looks for rings among the open descriptors: notes which known ones are, and answers whether there
 * is one that is not known. */
static bool look_at_descriptors(long count) {
    uint64_t shared = 0; /* the inode of all files without a name that have none of their own */
    bool unknown = false;
    for (int fd = 0; count != 0 && fd < MOST_DESCRIPTORS; fd++) {
        struct stat status;
        if (system_call(SYS_fstat, fd, &status) != 0)
            continue;
        count -= count > 0;
        if (status.st_mode & S_IFMT || status.st_ino == shared)
            continue;
        struct ring *ring = ring_of_inode(status.st_dev, status.st_ino);
        if (!is_ring(fd))
            shared = ring ? shared : status.st_ino;
        else if (ring)
            ring->open = true;
        else
            unknown = true;
    }
    return unknown;
}

void rings_begin_walk(void) {
    meets_unknown = false;
    for (struct ring *ring = rings_first(); ring; ring = ring->next) {
        ring->mapped = ring->open = ring->closed = false;
        if (ring->copies && ring->opaque == NULL)
            ring_look(ring);
    }
}

/* What the kernel cannot copy is read as it is, in the stop, when nobody can take it away. */
static void visit_ring(struct ring *ring, const struct map *map, struct marker *marker) {
    ring->mapped = true;
    ring->closed |= !map->readable;
    if (map->offset == IORING_OFF_SQ_RING || map->offset == IORING_OFF_CQ_RING)
        ring->rings = map->start;
    else if (map->offset == IORING_OFF_SQES)
        ring->entries = map->start;
    if (ring->rings)
        ring_note_copies(ring);
    if (marker && map->readable && !ring->copies)
        scan_range(marker, map->start, map->end, SCAN_WORDS);
}

void rings_visit_map(const struct map *map, struct marker *marker) {
    struct ring *ring = rings_first();
    while (ring && ring->inode != map->inode)
        ring = ring->next;
    if (ring && ring->opaque == NULL)
        visit_ring(ring, map, marker);
    else if (ring)
        ring->mapped = true;
    else
        meets_unknown = true;
}

/* A ring that is neither mapped nor open is no more. One without a descriptor is for ever. */
static bool is_gone(const struct ring *ring) {
    return !ring->mapped && !ring->open && ring->inode != 0;
}

/* Of an inherited ring that is not mapped, a child of fork cannot see what its parent does. */
static const char *why_unknown(struct ring *ring) {
    uint32_t taken;
    if (ring->opaque)
        return ring->opaque;
    if (!ring->mapped && !ring->own_memory)
        return ring->rings && !ring->inherited ? "the memory of a ring is not mapped" : NULL;
    if (ring->closed || ring->rings == 0)
        return ring->closed ? "the memory of a ring is closed" : NULL;
    if (!ring_read(ring, &taken, ring->rings + ring->submission.head, sizeof taken))
        ring_lose(ring, "the memory of a ring is not where it was");
    else if ((int32_t)(taken - ring->recorded) > 0)
        ring_lose(ring, "requests went into a ring unseen");
    return ring->opaque;
}

static bool meets_unknown_descriptor(void) {
    long count = count_descriptors();
    return (count > 0 || rings_first()) && look_at_descriptors(count);
}

static bool looked; /* at the descriptors, in this cycle, beside the program */

void rings_forget_look(void) { looked = false; }

/* Descriptors are looked at when a cycle begins, because that takes a while. After that only where
 * a ring that is known may be closed, and in the stop if all of the cycle is there. Maps tell of
 * nearly all rings that are not known. */
static bool meets_others(bool stopped) {
    bool needed = stopped && !looked;
    for (struct ring *ring = rings_first(); ring; ring = ring->next)
        needed |= !ring->mapped;
    looked = !stopped;
    return (needed && meets_unknown_descriptor()) || meets_unknown;
}

/* The kernel writes to it by another way, and nobody records that. */
static void scan_own_memory(const struct ring *ring, struct marker *marker) {
    uintptr_t end = ring->rings + ring->completion.cqes +
                    (uintptr_t)ring->completion_entries * ring->completion_bytes;
    if (!scan_foreign(marker, ring->rings & ~(uintptr_t)7, end, SCAN_WORDS))
        roots_cannot_know("the memory of a ring is not where it was");
}

void rings_end_walk(struct marker *marker) {
    bool stopped = marker != NULL;
    if (meets_others(stopped))
        roots_cannot_know(set_up_unseen);
    for (struct ring *ring = rings_first(), *next; ring; ring = next) {
        const char *why = is_gone(ring) ? NULL : why_unknown(ring);
        next = ring->next;
        if (is_gone(ring) && stopped)
            ring_forget(ring);
        else if (why)
            roots_cannot_know(why);
        else if (ring->own_memory && marker)
            scan_own_memory(ring, marker);
    }
}

/* A thread that waits for a ring by a bare call cannot be stopped without breaking the call, so
 * that a ring is not known must be found out before. */
const char *rings_why_unknown(bool stopped) {
    struct stat status;
    if (!stopped && meets_unknown_descriptor())
        return set_up_unseen;
    for (struct ring *ring = rings_first(); ring; ring = ring->next)
        if (ring->opaque && system_call(SYS_fstat, ring->fd, &status) == 0 &&
            status.st_ino == ring->inode && status.st_dev == ring->device)
            return ring->opaque;
    return NULL;
}
