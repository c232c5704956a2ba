/* The mechanics of the stop signal: choose a number, install a handler, send it to one thread, and
 * tell where it interrupted a thread (os/registers tells what the thread had in hand).
 *
 * The signal is a real-time one that the program left at its default. The sender passes a word that
 * comes back in the handler; a signal not sent by us is told apart by that, since what comes back
 * then is no word that the caller knows. Sending is
 * async-signal-safe; choosing and installing are done by the collecting thread.
 */
#ifndef TITHE_OS_SIGNAL_H
#define TITHE_OS_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's own structures, since libc's sigaction is the shim's wrapper. 64 signals, one word.
 */
typedef uint64_t signal_set;

struct signal_action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void); /* with SIGNAL_RESTORER_FLAG: where handlers return to */
    signal_set mask;
};

enum { SIGNAL_RESTORER_FLAG = 0x04000000 };

/* The candidate nearest to the top of the real-time range that is at its default disposition, below
 * the given number; 0 when none is left. signal_choose(SIGRTMAX) starts at the top. */
int signal_choose(int below);

/* True while the kernel's disposition of the signal is the default one. */
bool signal_is_default(int number);

/* A handler that runs on the alternate stack if there is one, restarts calls, and masks all
 * signals.
 */
void signal_describe(struct signal_action *action, void (*handler)(int, siginfo_t *, void *));

/* Installs such a handler. */
bool signal_install(int number, void (*handler)(int, siginfo_t *, void *));

/* True for signals that the kernel sends for what the thread itself did wrong; where it goes on as
 * if nothing had happened, they come again. */
static inline bool signal_tells_of_fault(size_t number) {
    static const signal_set faults = 1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1) |
                                     1ull << (SIGFPE - 1) | 1ull << (SIGILL - 1) |
                                     1ull << (SIGTRAP - 1) | 1ull << (SIGSYS - 1);
    return number > 0 && (faults >> (number - 1) & 1);
}

/* Sends the signal with a word to a thread of this process. 0, or a negative errno. */
int signal_send(int tid, int number, void *word);

/* Sends the signal without a word, which needs no room in the kernel's queue; signal_send fails
 * with EAGAIN where there is none. It goes to the process: the thread named is asked first, but
 * another one that admits the signal may take it, and two of them that wait at once become one. */
int signal_send_plain(int tid, int number);

/* Whether it may be such a one, of this process. */
bool signal_is_plain(const siginfo_t *info);

/* What glibc sends to all threads when one of them changes its user; programs cannot block it by
 * libc's calls. */
enum { SIGNAL_BORROWED = 33 };

/* Has a thread that blocks the signal unblock it, if it is one that libc made for itself (timers,
 * asynchronous files): those block all signals but libc's own two, and one of these is borrowed.
 * Returns at once; the thread may take a while. */
void signal_unblock_in(int tid, int number);

/* The word sent by signal_send of this process; anything when somebody else sent the signal. */
void *signal_word(const siginfo_t *info);

/* The interrupted stack pointer. */
uintptr_t signal_stack_pointer(const void *context);

/* True when the signal made a system call fail with EINTR that would else have gone on, and no
 * other signal is waiting to be delivered, which would have interrupted it anyway. */
bool signal_broke_call(const void *context);

/* True when the signal may have made a system call return with less than it would else have done:
 * it interrupted right behind one that succeeded, and no other signal is waiting. */
bool signal_cut_call(const void *context);

#endif
