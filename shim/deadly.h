/* Signals that end the program: what is said at an exit is said first, and then the program dies as
 * it would have, by that signal, where that came, and with a core if it had left one.
 *
 * Our handler stands where the program has none, and the program is told that there is none. Leak
 * hunting and trials have it for every signal that ends a process and can be caught; where only the
 * line at the end is wanted, those that services are ended by have it. What cannot be said at once,
 * because the signal came while the thread held a lock of the collector's, is said when it lets go;
 * but for a fault in such a place, where the check is left out. While it is being said, further
 * signals wait, but SIGINT and SIGQUIT end the process at once.
 *
 * A signal with SA_RESETHAND comes to a second one's default without us, and nothing is said then.
 */
#ifndef TITHE_SHIM_DEADLY_H
#define TITHE_SHIM_DEADLY_H

#include <signal.h>
#include <stdbool.h>

/* By the constructor, after whoever has handlers of its own: say_last is what is said, with the
 * handler's context. */
void deadly_start(bool of_every_signal, void (*say_last)(const void *context));

/* The program asks for the default: *action is what stands there. */
void deadly_take_place(int number, struct sigaction *action);

bool deadly_handles(const struct sigaction *action);

/* In a handler: the process dies by this signal when that returns. information may be NULL. */
void deadly_die(int number, siginfo_t *information);

/* The program locks itself in: dispositions are as if we had never been there. */
void deadly_withdraw(void);

#endif
