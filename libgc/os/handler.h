/* Installing the program's own signal handlers so that their returns are counted.
 *
 * A stop signal may arrive while a handler of the program's is about to return into a system call
 * that it broke, or a signal of the program's while the stop handler does. Either way the stop
 * finds, or leaves, a context that looks as if it alone had broken the call. The count tells: when
 * it changed during the call, a handler of the program's ran in it.
 *
 * Only on x86-64, where the program says what a handler returns to; elsewhere nothing is counted
 * and a signal that comes in these instants is handled, but breaks no call.
 */
#ifndef TITHE_OS_HANDLER_H
#define TITHE_OS_HANDLER_H

#include <signal.h>

/* How many handlers installed below have returned in this thread. Written only by its handlers. */
extern __thread volatile unsigned long handler_returns
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* sigaction(2), errors and errno included. Async-signal-safe. */
int handler_install(int number, const struct sigaction *action, struct sigaction *old);

#endif
