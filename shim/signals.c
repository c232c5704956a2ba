/* Dispositions, masks and waits for signals, so that the program can neither replace, block nor
 * consume the stop signal; see signals.h.
 *
 * Until the first collection the program may have that number, and another one is chosen. Then what
 * it asks for concerning it is remembered and told back, and a handler it set is called when
 * somebody else sends the signal; but it can no longer wait for it. System calls made without libc
 * escape this; a stop that fails because of it only cancels a collection.
 */
#include "signals.h"

#include "deadly.h"
#include "leak/listener.h"
#include "real.h"

#include "os/handler.h"
#include "os/handler_entry.h"
#include "os/section.h"
#include "os/syscall.h"
#include "os/tasks.h"
#include "thread/world.h"

#include <atomic_ops.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>

static struct sigaction program_action; /* what the program set for the stop signal */
static __thread bool believed_blocked __attribute__((tls_model("initial-exec")));

/* Set by any thread that believes to block the stop signal, and so may wait for it. */
static volatile bool was_blocked;

/* In the stop handler: the program's takes its place. */
static void foreign_signal(int number, void *info, void *context) {
    struct sigaction action = program_action;
    struct signal_action set = {.handler = action.sa_sigaction, .flags = (unsigned)action.sa_flags};
    memcpy(&set.mask, &action.sa_mask, sizeof set.mask);
    if (action.sa_handler == SIG_IGN || handler_entry_put_off(number, context))
        return;
    if (action.sa_handler == SIG_DFL) {
        if (!was_blocked)
            deadly_die(number, info);
        return;
    }
    if (action.sa_flags & SA_RESETHAND)
        program_action.sa_handler = SIG_DFL;
    set.mask &= ~((signal_set)1 << (number - 1));
    handler_entry_forward(number, context, &set);
    action.sa_sigaction(number, info, context);
}

void signals_start(void) {
    world_foreign_signal_hook = foreign_signal;
    section_start();
}

/* A set with few of the real-time signals means each of them; one with most means all there are. */
static bool is_meant(int number, const sigset_t *set) {
    int named = 0;
    if (sigismember(set, number) != 1)
        return false;
    for (int other = SIGRTMIN; other <= SIGRTMAX; other++)
        named += sigismember(set, other) == 1;
    return named * 2 < SIGRTMAX - SIGRTMIN;
}

/* A program may block a signal and wait for it, and never set a handler. */
static void leave_to_program(const sigset_t *set) {
    int number = world_signal();
    while (!world_signal_installed() && is_meant(number, set)) {
        world_avoid_signal(number);
        int next = world_signal();
        if (next >= number)
            break;
        number = next;
    }
}

const sigset_t *signals_without_stop(const sigset_t *set, sigset_t *copy) {
    if (set == NULL)
        return NULL;
    leave_to_program(set);
    *copy = *set;
    sigdelset(copy, world_signal());
    return copy;
}

/* Whether the number is ours for good. Until the first collection another one can still be chosen.
 */
static bool is_taken(int number) {
    if (number != world_signal())
        return false;
    if (world_signal_installed())
        return true;
    world_avoid_signal(number);
    return false;
}

/* The handlers that stand where the program had none, which is what it is told: it may call what it
 * finds. */
TITHE_EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *old) {
    struct sigaction changed;
    if (action == NULL ? number == world_signal() : is_taken(number)) {
        if (old)
            *old = program_action;
        if (action)
            program_action = *action;
        return 0;
    }
    if (action) {
        changed = *action;
        sigdelset(&changed.sa_mask, world_signal());
        deadly_take_place(number, &changed);
        action = &changed;
    }
    int result = handler_install(number, action, old);
    if (result == 0 && old && (listener_handles(old) || deadly_handles(old)))
        *old = (struct sigaction){.sa_handler = SIG_DFL};
    return result;
}

/* The signals whose handlers signal installs without SA_RESTART. Written by any thread. */
static volatile AO_t interrupting;

static AO_t bit_of(int number) { return (AO_t)1 << (number - 1); }

TITHE_EXPORT int siginterrupt(int number, int interrupts) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0)
        return -1;
    if (interrupts) {
        AO_or(&interrupting, bit_of(number));
        action.sa_flags &= ~SA_RESTART;
    } else {
        AO_and(&interrupting, ~bit_of(number));
        action.sa_flags |= SA_RESTART;
    }
    return sigaction(number, &action, NULL);
}

TITHE_EXPORT sighandler_t signal(int number, sighandler_t handler) {
    struct sigaction action = {.sa_handler = handler}, old;
    if (handler == SIG_ERR || number < 1 || number >= _NSIG) {
        errno = EINVAL;
        return SIG_ERR;
    }
    sigaddset(&action.sa_mask, number);
    action.sa_flags = AO_load(&interrupting) & bit_of(number) ? 0 : SA_RESTART;
    return sigaction(number, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

ALIAS(__sigaction, sigaction);
ALIAS(bsd_signal, signal);
ALIAS(ssignal, signal);

/* The thread believes what it asked for: a mask with the stop signal reads back with it. */
static int change_mask(int (*change)(int, const sigset_t *, sigset_t *), int how,
                       const sigset_t *set, sigset_t *old) {
    sigset_t copy;
    bool before = believed_blocked;
    int result = change(how, signals_without_stop(set, &copy), old);
    if (result != 0)
        return result;
    if (old && before)
        sigaddset(old, world_signal());
    if (set && (how == SIG_SETMASK || sigismember(set, world_signal())))
        was_blocked |= believed_blocked = how != SIG_UNBLOCK && sigismember(set, world_signal());
    return 0;
}

TITHE_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
    return change_mask(REAL(pthread_sigmask), how, set, old);
}

TITHE_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
    return change_mask(REAL(sigprocmask), how, set, old);
}

TITHE_EXPORT int sigwait(const sigset_t *set, int *number) {
    sigset_t copy;
    return REAL(sigwait)(signals_without_stop(set, &copy), number);
}

TITHE_EXPORT int signalfd(int fd, const sigset_t *set, int flags) {
    sigset_t copy;
    return REAL(signalfd)(fd, signals_without_stop(set, &copy), flags);
}
