/* Futex waits and the contended path of the lock; see park.h. */
#include "os/park.h"

#include "os/clock.h"
#include "os/syscall.h"

#include <limits.h>
#include <linux/futex.h>
#include <time.h>

void park_wait(volatile unsigned *word, unsigned expected, long long nanoseconds) {
    struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    system_call(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, expected,
                nanoseconds < 0 ? NULL : &limit);
}

void park_wake(volatile unsigned *word, int count) {
    system_call(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count);
}

void park_wait_shared(volatile unsigned *word, unsigned expected) {
    system_call(SYS_futex, word, FUTEX_WAIT, expected, NULL);
}

static unsigned lock_mark_contended(struct lock *lock) {
    for (;;) {
        unsigned seen = AO_int_load(&lock->word);
        if (AO_int_compare_and_swap_acquire(&lock->word, seen, LOCK_CONTENDED))
            return seen;
    }
}

/* Holders keep a lock for well under a microsecond, so a few tries before sleeping pay off. */
void lock_take_contended(struct lock *lock) {
    for (int tries = 0; tries < 100; tries++) {
        if (AO_int_load(&lock->word) == LOCK_FREE &&
            AO_int_compare_and_swap_acquire(&lock->word, LOCK_FREE, LOCK_HELD))
            return;
        park_relax();
    }
    while (lock_mark_contended(lock) != LOCK_FREE)
        park_wait(&lock->word, LOCK_CONTENDED, -1);
}

bool lock_take_within(struct lock *lock, int milliseconds) {
    while (!lock_try(lock)) {
        if (milliseconds-- == 0)
            return false;
        clock_nap(1000000);
    }
    return true;
}
