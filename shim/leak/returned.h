/* The blocks that came back: found dead in a trial (trial.h), and then used all the same.
 *
 * The program's threads add what they use, in the middle of free and in signal handlers; the
 * conductor adds what a mark has found, with the world stopped. No lock is taken, no address is
 * kept in a form that a mark would see. What does not fit is only counted.
 */
#ifndef TITHE_SHIM_LEAK_RETURNED_H
#define TITHE_SHIM_LEAK_RETURNED_H

#include "heap/notes.h"

#include <stdbool.h>
#include <stddef.h>

/* How it showed. */
enum returned_how {
    RETURNED_FREED,   /* the program freed it, */
    RETURNED_RESIZED, /* or had it resized, */
    RETURNED_ASKED,   /* or asked for its size */
    RETURNED_WRITTEN, /* its contents are no longer what they were */
    RETURNED_HELD,    /* a mark has found what leads to it */
    RETURNED_WITH     /* only another one that came back leads to it */
};

/* False when out of memory. */
bool returned_start(void);

/* stack: of the call by which the program showed it; 0 where there is none. */
void returned_add(struct object object, const struct note *note, enum returned_how how,
                  unsigned stack);

/* In the stop, while a search is open: with the steps to the number it has there. */
void returned_add_found(struct object object, const struct note *note, enum returned_how how,
                        size_t number);

/* The stack of a block that the steps name. */
void returned_name(const struct note *note);

size_t returned_blocks(void);
size_t returned_bytes(void);

/* Adds the lines to the check file. */
void returned_write(void);

/* Whether those lines name a stack. */
bool returned_names(unsigned stack);

/* In the child of a fork: none yet. */
void returned_after_fork(void);

#endif
