/* Sweeping: what the last mark left white becomes free.
 *
 * Lazy: a span is swept when somebody wants room in its set, frees into it, or finishes the sweep
 * before the next mark. Spans without a survivor give their pages back. The bytes found dead left
 * the count of live bytes when the mark ended, so sweeping counts nothing.
 */
#ifndef TITHE_HEAP_SWEEP_H
#define TITHE_HEAP_SWEEP_H

#include "heap/span.h"

#include <stdbool.h>

/* After a mark, all sets locked: every span of every set is to be swept. After a mark that was
 * given up, spare tells to keep everything: what is white or grey then becomes black. */
void sweep_begin(bool spare);

/* Sweeps one span if it still has to be; it stays, even if nothing in it survived. With its set's
 * lock. */
void sweep_span(struct span *span);

/* Sweeps until a span with free objects turns up and returns it, partial. NULL when nothing is left
 * to sweep, or when so much was swept in vain that the caller has waited long enough. With the
 * set's lock. */
struct span *sweep_for_room(struct span_set *set);

/* Sweeps some of what is left, in the background. False when nothing was. No locks held. */
bool sweep_some(void);

/* A glance: false when sweep_some has found nothing since the last mark. */
bool sweep_is_left(void);

/* Sweeps everything that is left, a few spans a turn of the lock. No locks held. */
void sweep_finish(void);

#endif
