/* The phase of marking, who is at work in it, and how its end is found.
 *
 * One word holds the phase, the number of markers at work, and how often one has entered. A marker
 * enters, works, and leaves when it has nothing in hand. Only markers make work, so when the last
 * one has left and neither the queue nor the list of jobs holds anything, the round is complete,
 * and stays so. Whoever notices moves the word from marking to complete, once; whoever claims that
 * conducts what follows: another round (written pages to be read again) or the end of the mark.
 *
 * All three are in one word because the exchange to complete must prove that nobody entered since
 * the last one left: a marker that came and holds the last unit of work leaves the queue empty,
 * too. test/models has the proof, and what goes wrong otherwise.
 */
#ifndef TITHE_CYCLE_PHASE_H
#define TITHE_CYCLE_PHASE_H

#include <stdbool.h>

enum phase {
    PHASE_OFF,      /* no mark is going on */
    PHASE_MARKING,  /* markers may enter */
    PHASE_COMPLETE, /* nothing is left in this round, and nobody has claimed that yet */
    PHASE_ENDING,   /* claimed: the conductor is at work */
    PHASE_STATES
};

enum phase phase_now(void);

/* Joins the marking. False when none goes on. */
bool phase_enter(void);

/* Leaves, holding nothing. True when the caller has found the round complete. */
bool phase_leave(void);

/* True for one caller a round, once it is complete. */
bool phase_claim(void);

/* Opens a round, with its jobs already listed; by the conductor, from off or ending. Wakes those of
 * the crew that is served who sleep for work, if that is wanted. */
void phase_open(bool wakes);

/* The same, with the caller as the first marker at work: it may list more jobs before it leaves. */
void phase_open_entered(bool wakes);

/* Ends the mark; by the conductor. */
void phase_close(bool wakes);

/* Whether there is nothing to take although marking goes on, and nothing has come for a moment: one
 * that is well spent where the processor has nothing else to do. */
bool phase_stays_dry(void);

/* In the child of a fork: there is neither a mark nor a marker. */
void phase_after_fork(void);

#endif
