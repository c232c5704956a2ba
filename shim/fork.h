/* The heap across fork. */
#ifndef TITHE_SHIM_FORK_H
#define TITHE_SHIM_FORK_H

/* Once, from the constructor. */
void fork_start(void);

#endif
