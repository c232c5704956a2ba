/* Pointers that only the kernel holds: the data of epoll entries, the values of timers and message
 * queue notifications, signal stacks; see kernel_held.h.
 *
 * The record is a hash table in memory that is a root (requests.h). Closing a descriptor without
 * deleting its entry leaves the word until the number is used again, and longer: the file behind it
 * may live on under another number, and so may its entry. That keeps a few objects too long and
 * never one too short. Pointers written into pipes and sockets are out of reach.
 */
#include "kernel_held.h"

#include "queued.h"
#include "real.h"
#include "requests.h"

#include "cycle/cycle.h"
#include "heap/layout.h"
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
    struct entry *wider = requests_take(new_room * sizeof *wider);
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
    requests_give(old, old_room * sizeof *old);
    return true;
}

static uint64_t set(enum holder holder, uint64_t first, uint64_t second, uint64_t word) {
    if (room == 0 && word == 0)
        return 0;
    if (used * 2 >= room && !grow()) {
        requests_lose();
        return 0;
    }
    struct entry *entry = find(holder, first, second);
    uint64_t before = entry->word;
    if (!entry->used && word == 0)
        return 0;
    used += !entry->used;
    *entry = (struct entry){first, second, word, holder, true};
    return before;
}

static bool is_address(uint64_t word) { return heap_contains(word & (((uint64_t)1 << 48) - 1)); }

uint64_t kernel_held_set_locked(enum holder holder, uint64_t first, uint64_t second,
                                uint64_t word) {
    return set(holder, first, second, is_address(word) ? word : 0);
}

uint64_t kernel_held_set(enum holder holder, uint64_t first, uint64_t second, uint64_t word) {
    if (cycle_is_ended())
        return 0;
    struct requests_lock lock = requests_lock();
    uint64_t before = kernel_held_set_locked(holder, first, second, word);
    requests_unlock(lock);
    return before;
}

bool kernel_held_note(enum holder holder, uint64_t start, uint64_t bytes, uint64_t second) {
    bool found = false;
    struct requests_lock lock = requests_lock();
    for (size_t i = 0; i < room && !found; i++) {
        found = entries[i].holder == holder && entries[i].word - start < bytes;
        if (found)
            set(holder, entries[i].first, second, start);
    }
    requests_unlock(lock);
    return found;
}

void kernel_held_keep_only(enum holder holder, uint64_t first) {
    for (size_t i = 0; i < room; i++)
        if (entries[i].holder == holder && entries[i].first != first)
            entries[i].word = 0;
}

void kernel_held_drop_closed(void) {
    struct requests_lock lock = requests_lock();
    for (size_t i = 0; i < room; i++)
        if (entries[i].holder == HELD_BY_EPOLL && entries[i].word &&
            system_call(SYS_fcntl, entries[i].first, F_GETFD) == -EBADF)
            entries[i].word = 0;
    requests_unlock(lock);
}

/* Words that stood where another one stands now, and may still be held: of files that have other
 * numbers by now, and of calls that crossed each other. */
static struct requests strays;
static unsigned changing; /* calls under way */

static uint64_t begin_change(int epoll, int operation, int fd, uint64_t word) {
    struct requests_lock lock = requests_lock();
    uint64_t before = kernel_held_set_locked(HELD_BY_EPOLL, epoll, fd, word);
    if (before && before != word && (operation == EPOLL_CTL_ADD || changing > 0))
        requests_keep(&strays, 0, before);
    changing++;
    requests_unlock(lock);
    return before;
}

static void end_change(int epoll, int fd, const uint64_t *word) {
    struct requests_lock lock = requests_lock();
    changing--;
    if (word)
        kernel_held_set_locked(HELD_BY_EPOLL, epoll, fd, *word);
    requests_unlock(lock);
}

/* Recorded before the kernel has it, so that it is never only there; when the kernel refuses, it
 * goes on holding what it held. */
TITHE_EXPORT int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
    static const uint64_t none;
    bool sets = operation != EPOLL_CTL_DEL && event && !cycle_is_ended();
    uint64_t before = sets ? begin_change(epoll, operation, fd, event->data.u64) : 0;
    int result = REAL(epoll_ctl)(epoll, operation, fd, event);
    if (sets)
        end_change(epoll, fd, result == 0 ? NULL : &before);
    else if (result == 0 && operation == EPOLL_CTL_DEL)
        kernel_held_set(HELD_BY_EPOLL, epoll, fd, none);
    return result;
}

/* A signal that the timer has sent may still wait to be taken. */
static void hold_timer(uint64_t timer, const struct sigevent *event) {
    uint64_t value = event ? (uintptr_t)event->sigev_value.sival_ptr : 0;
    queued_keep(QUEUED_ANY, kernel_held_set(HELD_BY_TIMER, timer, 0, value));
}

TITHE_EXPORT int timer_create(clockid_t clock, struct sigevent *event, timer_t *timer) {
    int result = REAL(timer_create)(clock, event, timer);
    if (result == 0 && event)
        hold_timer((uintptr_t)*timer, event);
    return result;
}

TITHE_EXPORT int timer_delete(timer_t timer) {
    int result = REAL(timer_delete)(timer);
    if (result == 0)
        hold_timer((uintptr_t)timer, NULL);
    return result;
}

void kernel_held_timer_made(int timer, const struct sigevent *event) {
    if (event)
        hold_timer((uintptr_t)timer, event);
}

void kernel_held_timer_deleted(int timer) { hold_timer((uintptr_t)timer, NULL); }

/* Until the kernel has accepted it, the new word is held beside the old one; after that the old one
 * may still come with a signal that waits. */
enum { IN_FORCE, COMING };

void kernel_held_notification(int queue, uint64_t word) {
    kernel_held_set(HELD_BY_QUEUE, queue, COMING, word);
}

void kernel_held_notified(int queue, uint64_t word, bool accepted) {
    if (accepted)
        queued_keep(QUEUED_ANY, kernel_held_set(HELD_BY_QUEUE, queue, IN_FORCE, word));
    kernel_held_set(HELD_BY_QUEUE, queue, COMING, 0);
}

TITHE_EXPORT int mq_notify(mqd_t queue, const struct sigevent *event) {
    uint64_t word = event ? (uintptr_t)event->sigev_value.sival_ptr : 0;
    kernel_held_notification(queue, word);
    int result = REAL(mq_notify)(queue, event);
    int failure = errno;
    kernel_held_notified(queue, word, result == 0);
    errno = failure;
    return result;
}
