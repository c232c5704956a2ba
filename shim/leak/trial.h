/* The trial: what would the collector do to this program, and would it be right?
 *
 * Cycles are as ever, but nothing of the program's is collected. What a cycle finds dead is
 * remembered in its note, with a fingerprint of its contents, and stays where it is and as it is;
 * what is then used all the same has come back: something has led to it that no mark can see. It
 * shows in that the program frees it, resizes it or asks for its size, that its contents have
 * changed, or that a later mark finds what leads to it. doc/trial.md says what counts, and why.
 *
 * Stands on the notes of leak hunting (record.h); no leaks are looked for meanwhile.
 */
#ifndef TITHE_SHIM_LEAK_TRIAL_H
#define TITHE_SHIM_LEAK_TRIAL_H

#include "leak/check.h"
#include "leak/returned.h"

#include <stdbool.h>
#include <stddef.h>

struct trial_totals {
    size_t blocks, bytes;           /* found dead so far, each once; bytes as asked for */
    size_t late_blocks, late_bytes; /* of these, by the last cycle, at the program's end */
    size_t returned_blocks, returned_bytes;
};

/* By the constructor, if a trial is wanted and blocks are noted. */
void trial_start(void);
extern bool trial_on; /* written by that */
static inline bool trial_is_on(void) { return trial_on; }

/* The program uses a block that it names by its address: whoever is noted as dead has come back.
 * stack: of this call. By any thread, also in signal handlers. */
void trial_use(struct object object, struct note *note, enum returned_how how, unsigned stack);

/* At the program's end, by the thread that ends it: one more cycle, a look at all that is dead, and
 * the check file, if there is a directory for it. With CHECK_EXEC only the file, if there is
 * anything to tell. */
void trial_end(enum check_trigger trigger, struct mark_from from);

struct trial_totals trial_totals(void);

/* In the child of a fork. */
void trial_after_fork(void);

#endif
