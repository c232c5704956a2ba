/* Ending the threads of our own, where the program does what they would be in the way of. */
#ifndef TITHE_SHIM_DISMISS_H
#define TITHE_SHIM_DISMISS_H

#include <stdbool.h>

/* Workers and the listener have told that they end, and the kernel is about to know. The next cycle
 * makes new workers, in whose place allocating threads go on with this one. False when there were
 * none, or in a child of vfork. By a thread of the program's, with no lock held. */
bool dismiss_threads(void);

#endif
