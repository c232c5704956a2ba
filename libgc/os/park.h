/* Sleeping and waking: a futex wait, a futex wake, and the lock built on them.
 *
 * A lock is one word: free, held, or held with sleepers. Taking a free one is one compare-and-swap.
 * Not recursive, not fair. A thread stopped by the collector never holds a lock of the heap,
 * because the collector takes all of those before it stops anybody (thread/world.h).
 *
 * Whoever holds a lock is in a section (os/section.h), so that no handler of the program's runs
 * that could wait for it in the same thread. A lock that the program itself is to hold, while its
 * own code runs, is lent to it.
 *
 * Each lock has a rank: a thread takes locks of rising rank only, and of the same rank at rising
 * addresses. A build with --enable-ranks looks at that, and at the section, whenever one is taken
 * (os/ranks.h).
 */
#ifndef TITHE_OS_PARK_H
#define TITHE_OS_PARK_H

#include "os/ranks.h"
#include "os/section.h"

#include <atomic_ops.h>
#include <stdbool.h>

enum { LOCK_FREE, LOCK_HELD, LOCK_CONTENDED };

struct lock {
    volatile unsigned word; /* any thread; acquire when taken, release when given */
    enum rank rank;
};

#define LOCK_OF(rank)                                                                              \
    { LOCK_FREE, rank }

/* Sleeps while *word equals expected, at most nanoseconds (negative: no limit). May wake early. */
void park_wait(volatile unsigned *word, unsigned expected, long long nanoseconds);

/* Wakes up to count sleepers on word. */
void park_wake(volatile unsigned *word, int count);

/* The same for a word that the kernel clears and wakes when a thread ends. */
void park_wait_shared(volatile unsigned *word, unsigned expected);

/* Tells the processor that this thread waits in a loop for another one. */
static inline void park_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void lock_take_contended(struct lock *lock);

static inline void lock_take(struct lock *lock) {
    section_enter();
    rank_expect(lock, lock->rank);
    if (!AO_int_compare_and_swap_acquire(&lock->word, LOCK_FREE, LOCK_HELD))
        lock_take_contended(lock);
    rank_push(lock, lock->rank);
}

static inline bool lock_try(struct lock *lock) {
    section_enter();
    bool taken = AO_int_compare_and_swap_acquire(&lock->word, LOCK_FREE, LOCK_HELD);
    if (taken)
        rank_push(lock, lock->rank);
    else
        section_leave();
    return taken;
}

/* For whoever may have interrupted the very holder, as a handler that is not put off can: false
 * when the lock was not free for so many milliseconds. */
bool lock_take_within(struct lock *lock, int milliseconds);

/* A glance. */
static inline bool lock_is_held(const struct lock *lock) {
    return AO_int_load(&lock->word) != LOCK_FREE;
}

static inline void lock_free(struct lock *lock) {
    if (AO_int_compare_and_swap_release(&lock->word, LOCK_HELD, LOCK_FREE))
        return;
    AO_int_store_release(&lock->word, LOCK_FREE);
    park_wake(&lock->word, 1);
}

static inline void lock_give(struct lock *lock) {
    rank_pop(lock);
    lock_free(lock);
    section_leave();
}

/* The program holds the lock that this thread has taken, until it is taken back, perhaps in another
 * thread. */
static inline void lock_lend(const struct lock *lock) {
    rank_pop(lock);
    section_leave();
}

static inline void lock_take_back(const struct lock *lock) {
    section_enter();
    rank_push(lock, lock->rank);
}

/* Makes the lock free whoever held it: only for the child of a fork, where the holder is gone. */
static inline void lock_reset(struct lock *lock) { AO_int_store_release(&lock->word, LOCK_FREE); }

#endif
