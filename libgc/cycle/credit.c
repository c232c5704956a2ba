/* The pool and the queue of parked threads; see credit.h. */
#include "cycle/credit.h"

#include "cycle/phase.h"
#include "heap/layout.h"
#include "mark/queue.h"
#include "os/park.h"
#include "thread/thread.h"

static struct lock lock = LOCK_OF(RANK_CREDIT);
static volatile AO_t pool; /* added to under the lock, taken from by compare-and-swap */
static struct thread *first, *last;

static void parked_append(struct thread *thread) {
    thread->next_parked = NULL;
    if (last)
        last->next_parked = thread;
    else
        first = thread;
    last = thread;
}

static struct thread *parked_take_first(void) {
    struct thread *thread = first;
    first = thread->next_parked;
    if (first == NULL)
        last = NULL;
    return thread;
}

static void parked_remove(struct thread *thread) {
    struct thread *before = NULL, *at = first;
    while (at && at != thread) {
        before = at;
        at = at->next_parked;
    }
    if (at == NULL)
        return;
    *(before ? &before->next_parked : &first) = thread->next_parked;
    if (last == thread)
        last = before;
}

static void wake(struct thread *thread) {
    AO_int_store_full(&thread->paid, 1);
    park_wake(&thread->paid, 1);
}

/* A part of a debt is paid only when that is all there is. */
static void pay_queue(size_t *work) {
    while (first && *work > 0) {
        struct thread *thread = parked_take_first();
        if ((size_t)thread->owed > *work) {
            thread->owed -= *work;
            *work = 0;
            parked_append(thread);
            return;
        }
        *work -= thread->owed;
        thread->owed = 0;
        wake(thread);
    }
}

void credit_flush(size_t work) {
    lock_take(&lock);
    pay_queue(&work);
    if (work > 0)
        AO_fetch_and_add_full(&pool, work);
    lock_give(&lock);
}

size_t credit_take(size_t work) {
    for (;;) {
        size_t have = AO_load(&pool), taken = have < work ? have : work;
        if (taken == 0 || AO_compare_and_swap_full(&pool, have, have - taken))
            return taken;
    }
}

/* Under the lock: whether a mark goes on, because all are woken after it has ended; the pool,
 * because it is filled under the lock. What is complete waits for somebody to see to the next step.
 */
static bool parked_enter(struct thread *thread) {
    lock_take(&lock);
    thread->owed -= credit_take(thread->owed);
    bool parks = thread->owed > 0 && AO_char_load(&heap.marking) && phase_now() != PHASE_COMPLETE;
    if (parks) {
        AO_int_store(&thread->paid, 0);
        parked_append(thread);
    }
    lock_give(&lock);
    return parks;
}

void credit_park(struct thread *thread, long long nanoseconds) {
    if (!parked_enter(thread))
        return;
    park_wait(&thread->paid, 0, nanoseconds);
    lock_take(&lock);
    if (AO_int_load(&thread->paid) == 0)
        parked_remove(thread);
    lock_give(&lock);
}

void credit_call_first(void) {
    if (AO_load((volatile AO_t *)&first) == 0 || queue_is_empty())
        return;
    lock_take(&lock);
    if (first)
        wake(parked_take_first());
    lock_give(&lock);
}

void credit_wake_all(void) {
    lock_take(&lock);
    while (first)
        wake(parked_take_first());
    lock_give(&lock);
}

void credit_reset(void) { AO_store(&pool, 0); }

void credit_after_fork(void) { first = last = NULL; }

void credit_lock(void) { lock_take(&lock); }
void credit_unlock(void) { lock_give(&lock); }
