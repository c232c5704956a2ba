/* The heap across fork. */
#ifndef TITHE_SHIM_FORK_H
#define TITHE_SHIM_FORK_H

/* Once, from the constructor. */
void fork_start(void);

/* Makes a system call that forks, by another name than fork. */
long fork_by(long (*call)(const void *context), const void *context);

#endif
