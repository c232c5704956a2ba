/* Rings of io_uring: what went into each and has not come back.
 *
 * A ring that was set up by a wrapped call is known. Before each wrapped call that lets the kernel
 * take requests, these are read from the ring and recorded (ring_requests.c); what has come back is
 * read there, too. That the kernel took what nobody recorded is seen by the ring's own count of
 * what was taken: then, and in all other cases in which something may have gone in unseen, the ring
 * is opaque for as long as it lives, and while there is one nothing is collected.
 *
 * All under requests_lock, but for the conductor in a stop.
 */
#ifndef TITHE_SHIM_RINGS_H
#define TITHE_SHIM_RINGS_H

#include "requests.h"

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
    struct ring *next;
    int fd; /* as it was set up */
    uint64_t device, inode;
    const char *opaque; /* NULL, or why */
    struct io_sqring_offsets submission;
    struct io_cqring_offsets completion;
    uint32_t submission_entries, completion_entries;
    uint32_t submission_bytes, completion_bytes; /* of an entry */
    bool is_straight;                            /* entries are taken in their order */
    bool copies;     /* its memory can be copied by the kernel, else it is read as it is */
    bool inherited;  /* from before a fork */
    bool own_memory; /* the program's, not mapped from the ring */
    bool mapped, open, closed; /* as the last walk of the maps found it: closed to reads */
    uintptr_t rings, entries;  /* the memory that it shares with us; 0: not found yet */
    uint32_t recorded;         /* the first request that is not recorded, by the kernel's count */
    uint32_t seen;             /* the first completion that was not looked at */
    uint64_t *prints;          /* of what was recorded last for each entry */
    struct requests requests;  /* by what comes back with them */
    struct requests buffers;   /* registered */
    struct requests given;     /* held until the ring is closed */
};

/* In the child of a fork, with the lock. */
void rings_after_fork(void);

/* In a walk of the maps, in the stop with a marker, with the lock. What has come back when the walk
 * begins is in the ring when that is read. */
struct map;
struct marker;
void rings_begin_walk(void);
void rings_visit_map(const struct map *map, struct marker *marker);
void rings_end_walk(struct marker *marker);

/* Why no cycle need begin, or go on: a ring is there of which not all is known; or NULL. */
const char *rings_why_unknown(bool stopped);

/* A ring was set up. */
void rings_set_up(int fd, const struct io_uring_params *params);

/* The kernel is about to take up to count requests; fd and flags are io_uring_enter's. */
void rings_before_enter(int fd, uint32_t count, unsigned flags);

/* io_uring_register has succeeded. Messages are told before the call is made. */
void rings_registered(int fd, unsigned operation, const void *argument, unsigned count);
void rings_before_message(const void *entry);

/* Nothing that went into the ring is known from now on. */
void ring_lose(struct ring *ring, const char *why);

/* Whether there are any, and it matters. */
bool rings_are_watched(void);

/* The ring behind a descriptor, of an inode, and behind a number that the calling thread has
 * registered; NULL if it is not known. */
struct ring *ring_of(int fd);
struct ring *ring_of_inode(uint64_t device, uint64_t inode);
struct ring *ring_of_number(unsigned number);

/* The ring is no more; its numbers are not, in the child of a fork. */
void ring_forget(struct ring *ring);
void ring_forget_numbers(const struct ring *ring);

/* A cycle that has begun will not end: in the child of a fork. */
void rings_forget_look(void);

/* Finds out whether its memory can be copied. */
void ring_note_copies(struct ring *ring);

/* Every ring there is. */
struct ring *rings_first(void);

/* Copies the ring's memory. False when it is not there. */
bool ring_read(struct ring *ring, void *to, uintptr_t from, size_t bytes);

/* Records the requests that the kernel is about to take. */
void ring_record(struct ring *ring, uint32_t count);

/* Records one request. */
void ring_record_entry(struct ring *ring, const unsigned char *entry);

/* Looks at what has come back. */
void ring_look(struct ring *ring);

#endif
