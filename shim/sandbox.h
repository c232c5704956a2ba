/* What a program does that locks itself in. */
#ifndef TITHE_SHIM_SANDBOX_H
#define TITHE_SHIM_SANDBOX_H

#include <stdbool.h>

/* Nothing is collected any more in this process, and it has no threads of ours. */
void sandbox_enter(void);

/* Whether that operation of seccomp, or of prctl, puts a filter on the program or announces one. */
bool sandbox_is_entered(long operation);
bool sandbox_is_entered_by_prctl(long operation);

#endif
