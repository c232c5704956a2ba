/* The check at the program's end, however it ends: exit, return from main, quick_exit, _exit, a
 * signal.
 *
 * On a private stack, and without the frames beneath the function by which the program left, so
 * that what those hold by chance hides no leak.
 */
#ifndef TITHE_SHIM_LEAK_EXIT_H
#define TITHE_SHIM_LEAK_EXIT_H

/* By the constructor. */
void exit_start(void);

/* By the destructor, and by _exit. */
void exit_by_destructor(void);
void exit_by_call(void);

/* By the handler of a deadly signal, with its context. */
void exit_by_signal(const void *context);

#endif
