/* The work list of marking: spans that hold grey objects, first in, first out.
 *
 * Grey itself is in the objects' state bytes, so a span is queued at most once and the list is
 * bounded by the number of spans: it needs no memory and cannot overflow. Any marking thread. The
 * lock is taken for several spans at a time, because all markers want it.
 */
#ifndef TITHE_MARK_QUEUE_H
#define TITHE_MARK_QUEUE_H

#include "heap/span.h"

/* True for the caller that is to put the span on the queue: it was not there. Called after an
 * object in it became grey. */
bool queue_claim(struct span *span);

/* Appends claimed spans. */
void queue_append(struct span *const *spans, unsigned count);

/* Takes up to most of the oldest spans; returns how many. They stay claimed, so that what becomes
 * grey in them meanwhile is waited for, until queue_release. */
unsigned queue_take(struct span **spans, unsigned most);

/* Whoever makes an object of the span grey from now on claims it again, so the caller must look at
 * every state of it afterwards. */
void queue_release(struct span *span);

/* A glance: true when nothing was queued. Exact when nobody marks. */
bool queue_is_empty(void);

/* A glance: true when it takes long for a queued span's turn to come, so that other objects of it
 * are likely to be found meanwhile. */
bool queue_is_long(void);

/* Who waits for work: those that mark beside the program, its own threads included, and those that
 * mark in the stop, the conductor and its helpers. */
enum crew { CREW_BESIDE, CREW_STOPPED, CREWS };

/* From now on what is queued is for this crew, or for nobody if quiet, because it is so little that
 * sharing it would cost more. Nobody marks. */
void queue_serve(enum crew crew, bool quiet);
enum crew queue_served(void);

/* A glance: true when somebody of the crew that is served waits for work and there is none. */
bool queue_is_wanted(void);

/* Waiting for work: whoever waits announces it, then looks once more whether there is any, and
 * sleeps or withdraws. Sleeping ends when somebody stirs the crew after the announcement, or after
 * nanoseconds (negative: no limit). Everything that makes work for others stirs. */
unsigned queue_announce(enum crew crew);
void queue_sleep(enum crew crew, unsigned announcement, long long nanoseconds);
void queue_withdraw(enum crew crew);
void queue_stir(enum crew crew);

/* Forgets what is queued: a mark was given up. Nobody marks. */
void queue_clear(void);

/* In the child of a fork: nobody sleeps. */
void queue_after_fork(void);

/* Around a fork. */
void queue_lock(void);
void queue_unlock(void);

#endif
