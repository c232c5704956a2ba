/* The program's alternate signal stacks, beside ours. */
#ifndef TITHE_SHIM_ALTSTACK_H
#define TITHE_SHIM_ALTSTACK_H

#include <signal.h>

/* sigaction(2) for any signal but the stop signal, with SA_ONSTACK meaning what the program
 * expects. */
int altstack_sigaction(int number, const struct sigaction *action, struct sigaction *old);

/* The disposition was set in another way, without SA_ONSTACK. */
void altstack_forget(int number);

#endif
