/* Getting away from a read of memory that the program has just closed by an instruction of its own.
 *
 * Markers read the heap in place. What the program closes there by libc's calls is told before;
 * what it closes by a bare system call in the middle of a mark would be the death of the process.
 * So for the time of a mark there is a handler of ours for SIGSEGV and SIGBUS where the program has
 * none: it ends a call of recovery_call whose read was a fault. All else that comes to it does what
 * it would have done without it: the thread's own fault happens again, and a signal that somebody
 * sent comes again, by default. A disposition that the program has set is left alone, and then the
 * mark has no such help.
 *
 * The conductor arms and disarms; any thread calls and asks.
 */
#ifndef TITHE_OS_RECOVERY_H
#define TITHE_OS_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

/* From now on faults between the two addresses can be recovered from; and no more. */
void recovery_arm(uintptr_t start, uintptr_t end);
void recovery_disarm(void);

/* In the child of a fork, which was in no call. */
void recovery_after_fork(void);

/* Calls the function. False if a fault has ended it: then it has stopped anywhere, so it must take
 * no lock around what it reads. On a stack of ours, with all signals blocked. */
bool recovery_call(void (*function)(void *context), void *context);

/* What the program is to be told in place of what the kernel has: by default, if it is ours. */
struct signal_action;
void recovery_show(int number, struct signal_action *action);

#endif
