/* The head of a check file: the program, the check, the loaded objects, and the stacks that its
 * other lines name. Also what those of a trial (trial.h) begin with.
 */
#ifndef TITHE_SHIM_LEAK_HEAD_H
#define TITHE_SHIM_LEAK_HEAD_H

#include "leak/check.h"

#include <stdbool.h>
#include <stddef.h>

struct head {
    enum check_trigger trigger;
    unsigned number;
    long long begun, stopped_before; /* nanoseconds; what head_begin notes */
    size_t blocks, bytes;            /* of all the heap */
};

/* Learns the program's name and arguments; by the constructor. */
void head_learn(void);

/* A check begins now. */
struct head head_begin(enum check_trigger trigger);

/* Adds the first lines to the text (writer.h). */
void head_write(const struct head *head);
void head_write_modules(void);
void head_write_stacks(bool (*is_told)(unsigned stack));

#endif
