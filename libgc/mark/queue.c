/* A linked list through the spans, and those who sleep until there is work; see queue.h. */
#include "mark/queue.h"

#include <limits.h>

struct list {
    struct span *first, *last;
};

enum { LONG_LENGTH = 2048 };

/* Large objects come first: they lead to many others, and the more of those are grey in a span when
 * its turn comes, the fewer turns it needs. */
static struct lock lock = LOCK_INITIALIZER;
static struct list large, small;
static volatile unsigned length;    /* of both; under the lock */
static volatile unsigned work_word; /* counts stirs */
static volatile bool quiet;         /* the conductor */
static volatile unsigned sleepers; /* who announced it; each adds itself before it looks for work */

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
    if (was_empty && !quiet && AO_int_load(&sleepers) > 0)
        queue_stir();
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

bool queue_is_wanted(void) { return !quiet && AO_int_load(&sleepers) > 0 && queue_is_empty(); }

void queue_keep_quiet(bool now) { quiet = now; }

unsigned queue_announce(void) {
    AO_int_fetch_and_add1_full(&sleepers);
    return AO_int_load_acquire(&work_word);
}

void queue_withdraw(void) { AO_int_fetch_and_sub1_full(&sleepers); }

void queue_sleep(unsigned announcement, long long nanoseconds) {
    park_wait(&work_word, announcement, nanoseconds);
    queue_withdraw();
}

void queue_stir(void) {
    AO_int_fetch_and_add1_full(&work_word);
    park_wake(&work_word, INT_MAX);
}

void queue_lock(void) { lock_take(&lock); }
void queue_unlock(void) { lock_give(&lock); }

void queue_clear(void) {
    struct span *span;
    while (queue_take(&span, 1) > 0)
        queue_release(span);
}

void queue_after_fork(void) {
    AO_int_store(&sleepers, 0);
    quiet = false;
}
