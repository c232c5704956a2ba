/* What the kernel alone holds, in each of the collector's looks at the roots. */
#ifndef TITHE_SHIM_BEYOND_H
#define TITHE_SHIM_BEYOND_H

/* Once, from the constructor. */
void beyond_start(void);

/* In the child of a fork, with requests_lock. */
void beyond_after_fork(void);

#endif
