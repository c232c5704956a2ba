/* The sweep; see sweep.h. */
#include "heap/sweep.h"

#include "heap/closed.h"
#include "heap/object.h"
#include "heap/pages.h"

/* How many spans a refill looks through, which takes a few tens of microseconds, and how many the
 * background sweep does under the lock at a time: a thread that is taken off its processor while it
 * holds a set's lock makes others wait. */
enum { SPANS_A_REFILL = 64, SPANS_A_TURN = 16 };

static bool sparing;                /* written with all sets locked */
static volatile unsigned char left; /* a glance: not 0 until sweep_some found nothing */

void sweep_begin(bool spare) {
    sparing = spare;
    AO_char_store(&left, 1);
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        span_set_unsweep(&span_sets[class]);
}

enum { LANES = 16 };

/* Turns white objects stale, quarantined ones, too, and counts them: a block of states at a time,
 * in a loop whose length is known, because compilers make vector code of that. */
static unsigned free_dead_block(unsigned char *states, unsigned char white) {
    unsigned char dead = 0;
    for (int i = 0; i < LANES; i++) {
        unsigned char is_dead = (states[i] & ~OBJECT_QUARANTINED) == white;
        states[i] = is_dead ? OBJECT_STALE : states[i];
        dead += is_dead;
    }
    return dead;
}

static unsigned free_dead(struct span *span) {
    unsigned char white = object_white();
    unsigned dead = 0, i = 0, count = span->object_count;
    for (; i + LANES <= count; i += LANES)
        dead += free_dead_block(span->states + i, white);
    for (; i < count; i++) {
        if ((span->states[i] & ~OBJECT_QUARANTINED) != white)
            continue;
        span->states[i] = OBJECT_STALE;
        dead++;
    }
    if (dead > 0)
        span->search_from = 0;
    return dead;
}

/* In the child of a fork the span may have been in the hands of a marker that is no more. */
static void spare_all(struct span *span) {
    AO_char_store(&span->queued, 0);
    for (unsigned i = 0; i < span->object_count; i++)
        if (!object_is_free(span->states[i]))
            AO_char_store(&span->states[i],
                          object_live_colour() | (span->states[i] & OBJECT_QUARANTINED));
}

/* What the program took away of a dead object must be had back first. */
static unsigned free_dead_closed(struct span *span) {
    unsigned char white = object_white();
    unsigned dead = 0;
    for (unsigned i = 0; i < span->object_count; i++) {
        if ((span->states[i] & ~OBJECT_QUARANTINED) != white)
            continue;
        bool restored = closed_restore(span_object(span, i), span->object_bytes);
        AO_char_store(&span->states[i], restored ? OBJECT_STALE : object_live_colour());
        dead += restored;
    }
    span->search_from = 0;
    return dead;
}

void sweep_span(struct span *span) {
    if (!span_is_unswept(span))
        return;
    if (sparing)
        spare_all(span);
    else if (__builtin_expect(span->closed, 0))
        span->free_count += free_dead_closed(span);
    else
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
    for (int i = 0; i < SPANS_A_REFILL && set->unswept.first; i++) {
        struct span *span = sweep_next(set);
        if (span)
            return span;
    }
    return NULL;
}

/* Fetches what the next turn will read, without the lock, so that it holds that only briefly. The
 * list may change meanwhile, but whatever is on it is and stays a descriptor. */
static void fetch_turn(const struct span_set *set) {
    const struct span *span =
        (const struct span *)AO_load((const volatile AO_t *)&set->unswept.first);
    for (int i = 0; i < SPANS_A_TURN && span; i++) {
        __builtin_prefetch(span->states);
        __builtin_prefetch(span->states + 64);
        span = (const struct span *)AO_load((const volatile AO_t *)&span->next);
    }
}

/* False when nothing was left. */
static bool sweep_turn(struct span_set *set) {
    fetch_turn(set);
    lock_take(&set->lock);
    for (int i = 0; i < SPANS_A_TURN && set->unswept.first; i++)
        sweep_next(set);
    bool left = set->unswept.first != NULL;
    lock_give(&set->lock);
    return left;
}

static bool is_swept(const struct span_set *set) {
    return AO_load((volatile AO_t *)&set->unswept.first) == 0;
}

bool sweep_some(void) {
    for (unsigned class = 0; class < SPAN_CLASSES; class ++) {
        if (is_swept(&span_sets[class]))
            continue;
        if (!sweep_turn(&span_sets[class]))
            pages_release_idle();
        return true;
    }
    AO_char_store(&left, 0);
    return false;
}

bool sweep_is_left(void) { return AO_char_load(&left) != 0; }

/* Every lock is taken: somebody else may be in the middle of his turn. */
void sweep_finish(void) {
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        while (sweep_turn(&span_sets[class]))
            continue;
    pages_release_idle();
}
