/* Values that wait in the kernel with a signal, for as long as a signal of that number does. */
#ifndef TITHE_SHIM_QUEUED_H
#define TITHE_SHIM_QUEUED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* For a value that may come with a signal of any number. */
enum { QUEUED_ANY = 0 };

/* In the child of a fork, with requests_lock: no signal waits there. */
void queued_after_fork(void);

/* The value is held until no signal of this number waits in the process. */
void queued_keep(int number, uint64_t value);

/* Around the sending of one, which is not held if it goes to another process than ours, which is 0,
 * too. To a single thread: the value may wait there. */
void queued_begin(pid_t process, int number, uint64_t value, bool to_thread);
void queued_end(int number);

/* In a stop, with requests_lock: lets go of the values that wait no more. */
void queued_settle(void);

#endif
