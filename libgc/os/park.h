/* Sleeping and waking: a futex wait, a futex wake, and the lock built on them.
 *
 * A lock is one word: free, held, or held with sleepers. Taking a free one is one compare-and-swap.
 * Not recursive, not fair. A thread stopped by the collector never holds a lock of the heap,
 * because the collector takes all of those before it stops anybody (thread/world.h).
 */
#ifndef TITHE_OS_PARK_H
#define TITHE_OS_PARK_H

#include <atomic_ops.h>
#include <stdbool.h>

enum { LOCK_FREE, LOCK_HELD, LOCK_CONTENDED };

struct lock {
    volatile unsigned word; /* any thread; acquire when taken, release when given */
};

#define LOCK_INITIALIZER                                                                           \
    { LOCK_FREE }

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
    if (!AO_int_compare_and_swap_acquire(&lock->word, LOCK_FREE, LOCK_HELD))
        lock_take_contended(lock);
}

static inline bool lock_try(struct lock *lock) {
    return AO_int_compare_and_swap_acquire(&lock->word, LOCK_FREE, LOCK_HELD);
}

/* For whoever may have interrupted the very holder, as a signal handler can: false when the lock
 * was not free for so many milliseconds. */
bool lock_take_within(struct lock *lock, int milliseconds);

/* A glance. */
static inline bool lock_is_held(const struct lock *lock) {
    return AO_int_load(&lock->word) != LOCK_FREE;
}

static inline void lock_give(struct lock *lock) {
    if (AO_int_compare_and_swap_release(&lock->word, LOCK_HELD, LOCK_FREE))
        return;
    AO_int_store_release(&lock->word, LOCK_FREE);
    park_wake(&lock->word, 1);
}

/* Makes the lock free whoever held it: only for the child of a fork, where the holder is gone. */
static inline void lock_reset(struct lock *lock) { AO_int_store_release(&lock->word, LOCK_FREE); }

#endif
