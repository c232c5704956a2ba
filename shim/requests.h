/* Requests that the kernel works on, and the words that it holds for them.
 *
 * The kernel gives a request back under the name it came with, and nothing else tells which one it
 * was. So the words of all requests of one name are held until as many of them have come back as
 * went in. They lie in memory of their own, which is a root like any anonymous map; nothing here
 * allocates in the heap, so nothing here can begin a collection.
 *
 * All calls are made with the lock of requests_lock, but by the conductor in a stop: whoever holds
 * it has all signals blocked, so no thread is stopped with it.
 */
#ifndef TITHE_SHIM_REQUESTS_H
#define TITHE_SHIM_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

/* Zeroed, it is empty. */
struct requests {
    struct request **buckets;
    size_t room, count;
};

struct requests_lock {
    uint64_t mask; /* of the thread, before */
};

struct requests_lock requests_lock(void);
void requests_unlock(struct requests_lock lock);

/* Around a fork, outside the collector's own locks. */
void requests_before_fork(void);
void requests_after_fork(void);

/* What could not be recorded for want of memory: from then on nothing is collected. */
void requests_lose(void);
bool requests_are_lost(void);

/* One more request of this name is about to go in; it holds these words. Those that are no
 * addresses of ours need not be told. */
void requests_submit(struct requests *requests, uint64_t name, const uint64_t *words, size_t count);

/* The last one holds this word, too. */
void requests_add(struct requests *requests, uint64_t name, uint64_t word);

/* One of this name has come back, or did not go in. False when none went in that is not back. */
bool requests_finish(struct requests *requests, uint64_t name);

/* The word is held under this name until that is dropped as a whole. */
void requests_keep(struct requests *requests, uint64_t name, uint64_t word);

void requests_drop(struct requests *requests, uint64_t name);
void requests_drop_all(struct requests *requests);

/* Whether anything is held. */
static inline bool requests_any(const struct requests *requests) { return requests->count > 0; }

/* Whether memory can be copied that may not be there. */
bool requests_can_be_read(void);

/* Copies what the program gave the kernel to read. False when it is not there. */
bool requests_read(void *to, uint64_t from, size_t bytes);

/* Zeroed memory that is a root, by powers of two, or NULL; and its end. */
void *requests_take(size_t bytes);
void requests_give(void *memory, size_t bytes);

#endif
