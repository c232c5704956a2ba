/* The processors and the policy that this process had when the program began.
 *
 * A thread of the program's may be confined to one processor, or run with real-time priority; what
 * is the collector's own is not that thread's affair. So both are noted once, before the program
 * can change them, and a child of fork keeps them. A control group is left as it is: a thread is
 * made in its maker's, and may not move by itself.
 */
#ifndef TITHE_OS_PROCESSORS_H
#define TITHE_OS_PROCESSORS_H

/* Asks the kernel. Once, by the constructor, or GC_init; other calls change nothing. */
void processors_note(void);

/* How many they are, at least 1. Any thread. */
unsigned processors_count(void);

/* Lets a thread of this process run on all of them, by the policy that the process had; by the
 * ordinary one if that was for real time. */
void processors_give_all(int tid);

#endif
