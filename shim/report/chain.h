/* Why a block is still reachable: the steps of a chain, in words. */
#ifndef TITHE_SHIM_REPORT_CHAIN_H
#define TITHE_SHIM_REPORT_CHAIN_H

#include "report/check_file.h"

struct chain_step {
    const char *kind; /* "data", "thread", "map", ..., or "block" */
    uint64_t address;
    int thread;
    const char *name;  /* of a variable or a map; NULL when not known */
    const char *where; /* the module a variable is in, or the function that a block is from */
    uint64_t offset;   /* of the pointer in the variable or block */
    size_t bytes;      /* of a block */
};

/* Calls visit for each step from the root on. */
void chain_each(const struct check *check, const char *steps,
                void (*visit)(const struct chain_step *step, void *context), void *context);

#endif
