/* Recalling stacks: a walk that was made lately and would find the same again need not be made.
 *
 * Programs allocate at the same places again and again, from stacks that look the same. What a walk
 * has read of the stack is kept with the number of what it found; if all these words are unchanged,
 * which takes less than a nanosecond each to see, the number is the answer. Any thread, in signal
 * handlers, too.
 */
#ifndef TITHE_SHIM_LEAK_RECALL_H
#define TITHE_SHIM_LEAK_RECALL_H

#include "leak/unwind.h"

#include <stdbool.h>

/* Once. False when out of memory. */
bool recall_start(void);

/* The depot's number for a walk from here; 0 when it must be made. limit is where the stack ends;
 * what has none is never recalled. */
unsigned recall_number(const struct unwind_frame *frame, uintptr_t limit, unsigned generation);

/* Keeps what a walk from here has found. */
void recall_keep(const struct unwind_frame *frame, uintptr_t limit, unsigned generation,
                 const struct unwind_stack *stack, unsigned number);

#endif
