/* A linked list through the spans, and those who sleep until there is work; see queue.h. */
#include "mark/queue.h"

#include <limits.h>

struct list {
    struct span *first, *last;
};

enum { LONG_LENGTH = 2048 };

/* Large objects come first: they lead to many others, and the more of those are grey in a span when
 * its turn comes, the fewer turns it needs. */
static struct lock lock = LOCK_OF(RANK_QUEUE);
static struct list large, small;
static volatile unsigned length;  /* of both; under the lock */
static volatile bool quiet;       /* the conductor */
static volatile enum crew served; /* the conductor */

/* Each adds itself to those who wait before it looks for work, and to the sleepers before the
 * kernel looks whether the count of stirs is still what it was. Whoever stirs counts first and then
 * looks for sleepers, so that nobody sleeps over it. */
static struct { volatile unsigned stirs, waiting, asleep; } crews[CREWS];

bool queue_claim(struct span *span) {
    return !AO_char_load(&span->queued) && AO_char_compare_and_swap_full(&span->queued, 0, 1);
}

void queue_release(struct span *span) { AO_char_store_full(&span->queued, 0); }

static void list_append(struct list *list, struct span *span) {
    span->queue_next = NULL;
    *(list->last ? &list->last->queue_next : &list->first) = span;
    list->last = span;
}

static unsigned list_take(struct list *list, struct span **spans, unsigned most) {
    unsigned count = 0;
    for (; count < most && list->first; count++) {
        spans[count] = list->first;
        list->first = list->first->queue_next;
    }
    if (list->first == NULL)
        list->last = NULL;
    return count;
}

void queue_append(struct span *const *spans, unsigned count) {
    lock_take(&lock);
    bool was_empty = queue_is_empty();
    AO_int_store(&length, length + count);
    for (unsigned i = 0; i < count; i++)
        list_append(span_is_large(spans[i]) ? &large : &small, spans[i]);
    lock_give(&lock);
    AO_nop_full();
    if (was_empty && !quiet && AO_int_load(&crews[served].waiting) > 0)
        queue_stir(served);
}

unsigned queue_take(struct span **spans, unsigned most) {
    if (queue_is_empty())
        return 0;
    lock_take(&lock);
    unsigned count = list_take(&large, spans, 1);
    if (count == 0)
        count = list_take(&small, spans, most);
    AO_int_store(&length, length - count);
    lock_give(&lock);
    return count;
}

bool queue_is_empty(void) {
    return AO_load_acquire((volatile AO_t *)&large.first) == 0 &&
           AO_load_acquire((volatile AO_t *)&small.first) == 0;
}

bool queue_is_long(void) { return AO_int_load(&length) > LONG_LENGTH; }

void queue_serve(enum crew crew, bool keeps_quiet) {
    served = crew;
    quiet = keeps_quiet;
}

enum crew queue_served(void) { return served; }

bool queue_is_wanted(void) {
    return !quiet && AO_int_load(&crews[served].waiting) > 0 && queue_is_empty();
}

unsigned queue_announce(enum crew crew) {
    AO_int_fetch_and_add1_full(&crews[crew].waiting);
    return AO_int_load_acquire(&crews[crew].stirs);
}

void queue_withdraw(enum crew crew) { AO_int_fetch_and_sub1_full(&crews[crew].waiting); }

void queue_sleep(enum crew crew, unsigned announcement, long long nanoseconds) {
    AO_int_fetch_and_add1_full(&crews[crew].asleep);
    park_wait(&crews[crew].stirs, announcement, nanoseconds);
    AO_int_fetch_and_sub1_full(&crews[crew].asleep);
    queue_withdraw(crew);
}

void queue_stir(enum crew crew) {
    AO_int_fetch_and_add1_full(&crews[crew].stirs);
    if (AO_int_load(&crews[crew].asleep) > 0)
        park_wake(&crews[crew].stirs, INT_MAX);
}

void queue_lock(void) { lock_take(&lock); }
void queue_unlock(void) { lock_give(&lock); }

void queue_clear(void) {
    struct span *span;
    while (queue_take(&span, 1) > 0)
        queue_release(span);
}

void queue_after_fork(void) {
    for (int crew = 0; crew < CREWS; crew++) {
        AO_int_store(&crews[crew].waiting, 0);
        AO_int_store(&crews[crew].asleep, 0);
    }
    queue_serve(CREW_BESIDE, false);
}
