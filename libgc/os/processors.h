/* The processors that this process may use, as it was when the program began.
 *
 * A thread of the program's may be confined to one processor, or run with real-time priority; what
 * is the collector's own is not that thread's affair. So the set is noted once, before the program
 * can change it, and a child of fork keeps it.
 */
#ifndef TITHE_OS_PROCESSORS_H
#define TITHE_OS_PROCESSORS_H

/* Asks the kernel. Once, by the constructor, or GC_init; other calls change nothing. */
void processors_note(void);

/* How many they are, at least 1. Any thread. */
unsigned processors_count(void);

/* Lets a thread of this process run on all of them, by the ordinary policy if it has a real-time
 * one. */
void processors_give_all(int tid);

#endif
