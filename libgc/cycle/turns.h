/* What a worker does next, and what only a thread of the program's should do before there is
 * anything for it.
 */
#ifndef TITHE_CYCLE_TURNS_H
#define TITHE_CYCLE_TURNS_H

struct thread;

/* Before a cycle begins: opens files, learns limits, makes workers if they are worth it. Frozen,
 * because it waits for locks with all signals blocked. Where a file cannot be had the cycle will
 * notice. */
void turns_prepare(struct thread *thread);

/* The same, and makes workers in any case. */
void turns_prepare_whole(struct thread *thread);

#endif
