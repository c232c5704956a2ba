/* Stacks of threads that were joined: libc keeps them, with their thread-local memory, for threads
 * to come. What is only found there is lost.
 *
 * A stack is dead from the join until the next thread is made, which may get it. Only while leaks
 * are hunted, and only stacks that libc has made.
 */
#ifndef TITHE_SHIM_LEAK_DEAD_STACKS_H
#define TITHE_SHIM_LEAK_DEAD_STACKS_H

#include <pthread.h>
#include <stdint.h>

/* By a thread that begins: where its stack is. */
void dead_stacks_begin(pthread_t thread, uintptr_t low, uintptr_t high);

/* Around the making of a thread: no stack is dead any more. */
void dead_stacks_before_create(void);
void dead_stacks_after_create(void);

/* In the child of a fork. */
void dead_stacks_after_fork(void);

#endif
