/* Stopping the world: every thread of the process held still, its registers and stack published.
 *
 * A stopped thread sits in a signal handler with all signals masked; the interrupted stack pointer
 * and registers are in its record. Threads nobody registered are found in /proc/self/task and get a
 * record first. A thread that does not stop within the budget, or is out of reach (thread/reach)
 * cancels the stop: everybody goes on and nothing may be concluded. As long as a thread is known to
 * be out of reach nobody is stopped at all.
 *
 * A thread whose own stack is frozen, because it works on another one, counts as stopped without
 * being sent anything; it may not return to its own stack before the world starts again. The
 * collector's own threads are never stopped. The caller is one of either.
 *
 * The caller holds the registry's lock and whatever locks it will need while the world is stopped,
 * so that no stopped thread holds one of them. One caller at a time.
 */
#ifndef TITHE_THREAD_WORLD_H
#define TITHE_THREAD_WORLD_H

#include <stdbool.h>

struct thread;

/* Picks and reserves the stop signal without installing anything. The shim keeps it out of the
 * program's masks. 0 when the program left none free. */
int world_signal(void);

/* Use this one, if none is installed yet. */
void world_use_signal(int number);

/* True once a stop was tried: from then on the number does not change. */
bool world_signal_installed(void);

/* The program wants this very number: use another one, if none is installed yet. */
void world_avoid_signal(int number);

/* Has the calling thread take the stop signal, whatever mask it was born with. */
void world_admit(void);

/* Between these nobody is sent the signal, which cancels a stop. What was sent before arrives at
 * the end of the next system call. False when the registry's lock could not be had. */
bool world_hold_signals(void);
void world_release_signals(void);

/* In the child of a fork. */
void world_after_fork(void);

/* What to do with a stop signal that somebody else sent. */
extern void (*world_foreign_signal_hook)(int number, void *info, void *context);

/* False while some thread is known to be out of reach, so that nobody would be stopped. With the
 * registry's lock alone. */
bool world_can_stop(void);

/* Stops everybody; threads may take so many nanoseconds to answer. Unless all have stopped,
 * everybody runs again. */
enum world_answer {
    WORLD_STOPPED,
    WORLD_LATE,        /* another try may find everybody quicker */
    WORLD_OUT_OF_REACH /* some thread takes no signal for now, or nobody may be sent one */
};
enum world_answer world_stop(long long budget);

/* Returns when all were woken, by clock_nanoseconds. */
long long world_start(void);

/* Freezes the calling thread: from here until world_thaw it counts as stopped. Called on another
 * stack than its own, with all signals blocked: by altstack_call with &thread->stack_pointer and no
 * context, or in world_asked_hook with the one that is in the record. */
void world_freeze(struct thread *thread, const void *context);

/* Waits while the world is stopped. The thread may then return to its own stack. */
void world_thaw(struct thread *thread);

/* Asks every thread of the program, or only those that outrun the mark or owe it from the last
 * time, to scan its own stack soon: sets stack_due and sends a signal, upon which the hook below is
 * called in that thread. One that is frozen gets no signal and is to look before it thaws, and one
 * that was out of reach gets none: it would wait for it with the others. With the registry's lock.
 */
void world_ask_stacks(bool all);

/* Whether any that got a signal has not answered yet. Takes the registry's lock. */
bool world_waits_for_stacks(void);

/* Those that have waited in vain look at some of the threads that did not answer: who stands still
 * is not waited for again before it has run. Takes the registry's lock. */
void world_look_at_silent(void);

/* Whether any thread has outrun the mark since it was asked. Takes the registry's lock. */
bool world_is_outrun(void);

/* Called in the stop handler when the thread is not to be stopped: with all signals blocked, the
 * interrupted stack pointer published in the record, on the signal stack if there is one. The
 * thread may have no thread-local memory. Set before the first signal is sent. */
extern void (*world_asked_hook)(struct thread *thread);

/* Has a thread of the program's rest in its handler until it is resumed; meanwhile it counts as
 * frozen. With the registry's lock; suspending returns before the thread rests, which the last one
 * tells. */
void world_suspend(struct thread *thread);
void world_resume(struct thread *thread);
bool world_is_suspended(const struct thread *thread);

/* Sends the calling thread the signal, for the hook above to be called on its signal stack. False
 * when that is impossible. */
bool world_ask_self(struct thread *thread);

#endif
