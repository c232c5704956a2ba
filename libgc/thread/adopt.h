/* Finding the threads that nobody registered, in the kernel's list, and giving each a record. By
 * the stopper, with the registry's lock, when all that are known have stopped.
 */
#ifndef TITHE_THREAD_ADOPT_H
#define TITHE_THREAD_ADOPT_H

#include <stdbool.h>

/* What one look at the list has found: threads that nobody knew, and the dead, among which are the
 * kernel's own. */
struct adopt_look {
    unsigned adopted, dead;
    unsigned long dead_sum; /* of their ids */
};

/* What the looks of one stop have found. */
struct adoption {
    struct adopt_look last;
    bool has_looked;
    unsigned main_dead, dead; /* that the kernel counts with the others */
};

enum adopt_answer {
    ADOPT_COMPLETE, /* the kernel knows no thread that has no record */
    ADOPT_AGAIN,    /* some were found, or may be: they are to be stopped, and it is asked again */
    ADOPT_FAILED    /* the list cannot be read, or there is no memory for a record */
};

void adopt_begin(struct adoption *adoption);
enum adopt_answer adopt_missing(struct adoption *adoption);

#endif
