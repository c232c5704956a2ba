/* Stopping the world: every thread of the process held still, its registers and stack published.
 *
 * A stopped thread sits in a signal handler with all signals masked; the interrupted stack pointer
 * and registers are in its record. Threads nobody registered are found in /proc/self/task and get a
 * record first. A thread that does not stop within the limit, or is in an uninterruptible call,
 * cancels the stop: everybody goes on and nothing may be concluded.
 *
 * The caller holds the registry's lock and whatever locks it will need while the world is stopped,
 * so that no stopped thread holds one of them. One caller at a time.
 */
#ifndef TITHE_THREAD_WORLD_H
#define TITHE_THREAD_WORLD_H

#include <stdbool.h>

/* Picks and reserves the stop signal without installing anything. The shim keeps it out of the
 * program's masks. 0 when the program left none free. */
int world_signal(void);

/* True once a stop was tried: from then on the number does not change. */
bool world_signal_installed(void);

/* The program wants this very number: use another one, if none is installed yet. */
void world_avoid_signal(int number);

/* What to do with a stop signal that somebody else sent. */
extern void (*world_foreign_signal_hook)(int number, void *info, void *context);

/* False when some thread could not be stopped; then everybody runs again. */
bool world_stop(void);
void world_start(void);

#endif
