/* Pointers that dangle: the freed blocks of a check that something still leads to, by where they
 * were allocated, where they were freed, and what leads to them. And by the same the blocks of a
 * trial that came back.
 */
#ifndef TITHE_SHIM_REPORT_DANGLING_H
#define TITHE_SHIM_REPORT_DANGLING_H

#include "report/groups.h"

struct dangling {
    struct group allocated, freed; /* only the stacks, and their names */
    const char *steps;             /* a chain to one of the blocks */
    uint64_t sample;               /* that block */
    size_t blocks, bytes;
    const char *how; /* it came back; "" for a freed one */
    bool from_stack; /* only a thread's stack leads to them, where old values lie about */
};

struct danglings {
    struct dangling *list; /* those that more than a stack leads to first; by bytes */
    size_t count, blocks, bytes;
};

/* Of the check's dangling or returned blocks. */
struct danglings *danglings_make(const struct check *check, const struct check_dangling *blocks,
                                 size_t count);
void danglings_free(struct danglings *danglings);

#endif
