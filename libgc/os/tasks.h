/* The kernel's list of this process's threads, from /proc/self/task.
 *
 * Finds threads nobody told us about (raw clone). Allocates nothing; any thread may call.
 */
#ifndef TITHE_OS_TASKS_H
#define TITHE_OS_TASKS_H

#include <stdbool.h>
#include <stddef.h>

/* Keeps the list within reach of a program that changes its root directory; by a thread of the
 * program's (os/descriptor.h). The other one is for the child of a fork. */
void tasks_open(void);
void tasks_after_fork(void);

/* How many threads the process has, zombies included; -1 when /proc cannot tell. */
int tasks_count(void);

/* Calls visit(tid, context) for each thread, one caller at a time. False when /proc cannot tell or
 * visit returned false. */
bool tasks_each(bool (*visit)(int tid, void *context), void *context);

/* The state letter of proc(5): 'R', 'S', 'D', 'Z', 'X' ...; 0 when /proc cannot tell, as when the
 * program may open no more files; 'K' for what is likely to be one of the kernel's own, see below.
 */
char tasks_state(int tid);

/* True when the kernel says that the thread will never again run in this program; it may still be
 * counted and listed. False is no proof of the contrary. */
bool tasks_is_gone(int tid);

/* True for one that is gone, and for a thread of the kernel's own in this process, which works on
 * the program's requests, runs none of its code and takes no signal. */
bool tasks_needs_no_stop(int tid);

/* Reads what /proc tells of a thread's state in lines. False when it cannot. */
bool tasks_status(int tid, char *text, size_t room);

/* The same of a thread, in part: its state as above but for the kernel's own, the signals that it
 * blocks, and how often it has left a processor: as long as that stays the same and it is not 'R',
 * it has not run. False when it cannot be told. */
struct task_look {
    char state;
    unsigned long blocked, pending, switches; /* pending: sent to it alone */
};
bool tasks_look(int tid, struct task_look *look);

/* True when the thread is known to have this signal blocked. */
bool tasks_block(int tid, int signal);

int tasks_self(void);
int tasks_process(void);

#endif
