/* Pointers that only the kernel holds: the data of epoll entries, the values of timers, message
 * queue notifications and queued signals, signal stacks; see kernel_held.h.
 *
 * The record is a hash table in the heap, found from a variable of ours, and so is scanned like any
 * of the program's. Closing a descriptor without deleting its entry leaves the word until the
 * number is used again: that keeps a few objects too long and never one too short. Pointers written
 * into pipes and sockets are out of reach.
 */
#include "kernel_held.h"

#include "real.h"

#include "alloc/alloc.h"
#include "os/park.h"
#include "os/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

struct entry {
    uint64_t first, second;
    uint64_t word; /* 0: no longer held; the names stay until the table grows */
    uint32_t holder;
    bool used;
};

static struct lock lock = LOCK_INITIALIZER;
static struct entry *entries;
static size_t room, used;

static size_t hash(enum holder holder, uint64_t first, uint64_t second) {
    uint64_t mixed = (first * 0x9e3779b97f4a7c15u) ^ (second + holder) * 0xc2b2ae3d27d4eb4fu;
    return mixed ^ mixed >> 29;
}

/* The entry of these names, or the unused one where they belong. */
static struct entry *find(enum holder holder, uint64_t first, uint64_t second) {
    for (size_t at = hash(holder, first, second);; at++) {
        struct entry *entry = &entries[at & (room - 1)];
        if (!entry->used ||
            (entry->holder == holder && entry->first == first && entry->second == second))
            return entry;
    }
}

static size_t count_held(void) {
    size_t count = 0;
    for (size_t i = 0; i < room; i++)
        count += entries[i].word != 0;
    return count;
}

/* A new table without the names under which nothing is held any more. */
static bool grow(void) {
    struct entry *old = entries;
    size_t old_room = room, new_room = room ? room : 64;
    if (count_held() * 4 > room)
        new_room = room * 2;
    struct entry *wider = alloc_cleared(new_room * sizeof *wider, OBJECT_SCANNED);
    if (wider == NULL)
        return false;
    entries = wider;
    room = new_room;
    used = 0;
    for (size_t i = 0; i < old_room; i++) {
        if (old[i].word == 0)
            continue;
        *find(old[i].holder, old[i].first, old[i].second) = old[i];
        used++;
    }
    if (old) {
        memset(old, 0, old_room * sizeof *old); /* the next owner must not inherit these pointers */
        free_uncached(old); /* with the lock, which a free of a lent object asks for */
    }
    return true;
}

static uint64_t set_locked(enum holder holder, uint64_t first, uint64_t second, uint64_t word) {
    if (room == 0 && word == 0)
        return 0;
    if (used * 2 >= room && !grow())
        return 0;
    struct entry *entry = find(holder, first, second);
    uint64_t before = entry->word;
    if (!entry->used && word == 0)
        return 0;
    used += !entry->used;
    *entry = (struct entry){first, second, word, holder, true};
    return before;
}

static bool is_address(uint64_t word) { return heap_contains(word & (((uint64_t)1 << 48) - 1)); }

uint64_t kernel_held_set(enum holder holder, uint64_t first, uint64_t second, uint64_t word) {
    lock_take(&lock);
    uint64_t before = set_locked(holder, first, second, is_address(word) ? word : 0);
    lock_give(&lock);
    return before;
}

bool kernel_held_note(enum holder holder, uint64_t start, uint64_t bytes, uint64_t second) {
    bool found = false;
    lock_take(&lock);
    for (size_t i = 0; i < room && !found; i++) {
        found = entries[i].holder == holder && entries[i].word - start < bytes;
        if (found)
            set_locked(holder, entries[i].first, second, start);
    }
    lock_give(&lock);
    return found;
}

void kernel_held_drop(enum holder holder, uint64_t first) {
    lock_take(&lock);
    for (size_t i = 0; i < room; i++)
        if (entries[i].holder == holder && entries[i].first == first)
            entries[i].word = 0;
    lock_give(&lock);
}

void kernel_held_keep_only(enum holder holder, uint64_t first) {
    for (size_t i = 0; i < room; i++)
        if (entries[i].holder == holder && entries[i].first != first)
            entries[i].word = 0;
}

void kernel_held_drop_closed(void) {
    lock_take(&lock);
    for (size_t i = 0; i < room; i++)
        if (entries[i].holder == HELD_BY_EPOLL && entries[i].word &&
            system_call(SYS_fcntl, entries[i].first, F_GETFD) == -EBADF)
            entries[i].word = 0;
    lock_give(&lock);
}

void kernel_held_lock(void) { lock_take(&lock); }
void kernel_held_unlock(void) { lock_give(&lock); }

/* Recorded before the kernel has it, so that it is never only there; when the kernel refuses, it
 * goes on holding what it held. */
TITHE_EXPORT int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
    bool sets = operation != EPOLL_CTL_DEL && event;
    uint64_t before = sets ? kernel_held_set(HELD_BY_EPOLL, epoll, fd, event->data.u64) : 0;
    int result = REAL(epoll_ctl)(epoll, operation, fd, event);
    if (result == 0 && operation == EPOLL_CTL_DEL)
        kernel_held_set(HELD_BY_EPOLL, epoll, fd, 0);
    else if (result != 0 && sets)
        kernel_held_set(HELD_BY_EPOLL, epoll, fd, before);
    return result;
}

TITHE_EXPORT int timer_create(clockid_t clock, struct sigevent *event, timer_t *timer) {
    int result = REAL(timer_create)(clock, event, timer);
    if (result == 0 && event)
        kernel_held_set(HELD_BY_TIMER, (uintptr_t)*timer, 0,
                        (uintptr_t)event->sigev_value.sival_ptr);
    return result;
}

TITHE_EXPORT int timer_delete(timer_t timer) {
    int result = REAL(timer_delete)(timer);
    if (result == 0)
        kernel_held_set(HELD_BY_TIMER, (uintptr_t)timer, 0, 0);
    return result;
}

TITHE_EXPORT int mq_notify(mqd_t queue, const struct sigevent *event) {
    kernel_held_set(HELD_BY_QUEUE, queue, 0, event ? (uintptr_t)event->sigev_value.sival_ptr : 0);
    return REAL(mq_notify)(queue, event);
}

/* A queued signal is taken by its handler soon; the latest values are kept, the oldest forgotten.
 */
enum { QUEUED_KEPT = 1024 };
static volatile uintptr_t queued[QUEUED_KEPT];
static volatile AO_t queued_next;

static void keep_queued(union sigval value) {
    queued[AO_fetch_and_add1(&queued_next) % QUEUED_KEPT] = (uintptr_t)value.sival_ptr;
}

TITHE_EXPORT int sigqueue(pid_t process, int number, const union sigval value) {
    keep_queued(value);
    return REAL(sigqueue)(process, number, value);
}

TITHE_EXPORT int pthread_sigqueue(pthread_t thread, int number, const union sigval value) {
    keep_queued(value);
    return REAL(pthread_sigqueue)(thread, number, value);
}
