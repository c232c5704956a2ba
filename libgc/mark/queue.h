/* The work list of marking: spans that hold grey objects, first in, first out.
 *
 * Grey itself is in the objects' state bytes, so a span is queued at most once and the list is
 * bounded by the number of spans: it needs no memory and cannot overflow. Any marking thread.
 */
#ifndef TITHE_MARK_QUEUE_H
#define TITHE_MARK_QUEUE_H

#include "heap/span.h"

/* Queues a span unless it is queued already. Called after an object in it became grey. */
void queue_push(struct span *span);

/* Takes the oldest span off the queue; NULL when it is empty. The caller must then look at every
 * state of the span, because whoever makes an object grey from now on queues it again. */
struct span *queue_pop(void);

#endif
