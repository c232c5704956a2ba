/* Following the program's threads from their first to their last allocation. */
#ifndef TITHE_SHIM_THREADS_H
#define TITHE_SHIM_THREADS_H

#include <stdbool.h>

/* Once, from the constructor. */
void threads_start(void);

/* True once the program may have had a second thread. Any thread. */
bool threads_were_made(void);

/* The calling thread ends the process. If it is the last one of a program whose main has left by
 * pthread_exit, it has left already, and is registered once more. */
void threads_return(void);

#endif
