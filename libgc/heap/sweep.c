/* The sweep; see sweep.h. */
#include "heap/sweep.h"

#include "heap/object.h"
#include "heap/pages.h"

void sweep_begin(void) {
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        span_set_unsweep(&span_sets[class]);
}

/* Turns white objects stale and counts them. */
static unsigned free_dead(struct span *span) {
    unsigned char white = object_white();
    unsigned dead = 0, lowest = span->object_count;
    for (unsigned i = span->object_count; i-- > 0;) {
        if (span->states[i] != white)
            continue;
        AO_char_store(&span->states[i], OBJECT_STALE);
        dead++;
        lowest = i;
    }
    if (lowest < span->search_from)
        span->search_from = lowest;
    return dead;
}

void sweep_span(struct span *span) {
    if (!span_is_unswept(span))
        return;
    span->free_count += free_dead(span);
    span_move(span, span->free_count > 0 ? SPAN_PARTIAL : SPAN_FULL);
}

/* Sweeps the first unswept span; returns it if it is still there with room. */
static struct span *sweep_next(struct span_set *set) {
    struct span *span = set->unswept.first;
    sweep_span(span);
    if (span->free_count == 0)
        return NULL;
    if (span->free_count < span->object_count)
        return span;
    span_move(span, SPAN_UNLISTED);
    span_destroy(span, true);
    return NULL;
}

struct span *sweep_for_room(struct span_set *set) {
    while (set->unswept.first) {
        struct span *span = sweep_next(set);
        if (span)
            return span;
    }
    return NULL;
}

void sweep_finish(void) {
    for (unsigned class = 0; class < SPAN_CLASSES; class ++) {
        struct span_set *set = &span_sets[class];
        lock_take(&set->lock);
        while (set->unswept.first)
            sweep_next(set);
        lock_give(&set->lock);
    }
    pages_release_idle();
}
