/* Stacks of threads that have ended, joined or detached: libc keeps them, with their thread-local
 * memory, for threads to come. What is only found there is lost.
 *
 * Before each check, those whose thread the kernel has forgotten are excluded from the roots; when
 * a thread is made, none is any more, because it may get one of them. Only while leaks are hunted,
 * and only stacks that libc has made.
 */
#ifndef TITHE_SHIM_LEAK_DEAD_STACKS_H
#define TITHE_SHIM_LEAK_DEAD_STACKS_H

#include <pthread.h>
#include <stdint.h>

struct marker;

/* By a thread that begins: where its stack is. */
void dead_stacks_begin(pthread_t thread, uintptr_t low, uintptr_t high);

/* Around the making of a thread: no stack is dead any more. */
void dead_stacks_before_create(void);
void dead_stacks_after_create(void);

/* Before a check's mark: finds who has ended. */
void dead_stacks_bury(void);

/* In the stop: libc's tables of dead threads' thread-local memory, which the next thread will use,
 * and that memory, are no leaks; nor does what they hold count. */
void dead_stacks_keep_tables(struct marker *marker);

/* In the child of a fork. */
void dead_stacks_after_fork(void);

#endif
