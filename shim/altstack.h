/* The program's signal stacks, and their memory. */
#ifndef TITHE_SHIM_ALTSTACK_H
#define TITHE_SHIM_ALTSTACK_H

#include <stddef.h>

/* Once, from the constructor. */
void altstack_start(void);

/* In the child of a fork, with requests_lock: other threads' signal stacks are no more.
 */
void altstack_after_fork(void);

/* From now on the program's signal stacks are the kernel's; the calling thread's is at once. */
void altstack_hand_back(void);

/* The calling thread is about to unmap this: the kernel lets go of its signal stack, if it lies
 * there. */
void altstack_unmaps(const void *start, size_t bytes);

/* The kernel does not use the calling thread's signal stack any more. */
void altstack_is_let_go(void);

#endif
