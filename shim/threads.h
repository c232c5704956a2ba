/* Following the program's threads from their first to their last allocation. */
#ifndef TITHE_SHIM_THREADS_H
#define TITHE_SHIM_THREADS_H

/* Once, from the constructor. */
void threads_start(void);

#endif
