/* A linked list through the spans; see queue.h. */
#include "mark/queue.h"

static struct lock lock = LOCK_INITIALIZER;
static struct span *first, *last;

void queue_push(struct span *span) {
    if (AO_char_load(&span->queued) || !AO_char_compare_and_swap_full(&span->queued, 0, 1))
        return;
    lock_take(&lock);
    span->queue_next = NULL;
    if (last)
        last->queue_next = span;
    else
        first = span;
    last = span;
    lock_give(&lock);
}

struct span *queue_pop(void) {
    lock_take(&lock);
    struct span *span = first;
    if (span) {
        first = span->queue_next;
        if (first == NULL)
            last = NULL;
        AO_char_store_full(&span->queued, 0);
    }
    lock_give(&lock);
    return span;
}
