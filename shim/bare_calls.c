/* System calls that the program makes by syscall(2), where libc has a function that is wrapped:
 * they are the same to us. What it calls by an instruction of its own escapes. */
#include "bare_calls.h"

#include "os/signal.h"
#include "os/syscall.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

long bare_sigaltstack(const stack_t *stack, stack_t *old) { return sigaltstack(stack, old); }

/* libc's two signals, and what is not valid, are the kernel's business. */
static bool is_libcs_business(long signal, size_t mask_bytes) {
    return signal > 0 && signal < _NSIG && signal != 32 && signal != SIGNAL_BORROWED &&
           mask_bytes == sizeof(signal_set);
}

long bare_sigaction(long signal, const struct signal_action *set, struct signal_action *old,
                    size_t mask_bytes) {
    struct sigaction action = {0}, before;
    if (!is_libcs_business(signal, mask_bytes)) {
        long result = system_call(SYS_rt_sigaction, signal, set, old, mask_bytes);
        errno = result < 0 ? (int)-result : errno;
        return result < 0 ? -1 : result;
    }
    if (set) {
        action.sa_sigaction = set->handler;
        action.sa_flags = (int)set->flags;
        memcpy(&action.sa_mask, &set->mask, sizeof set->mask);
    }
    int result = sigaction((int)signal, set ? &action : NULL, old ? &before : NULL);
    if (result == 0 && old) {
        old->handler = before.sa_sigaction;
        old->flags = (unsigned)before.sa_flags;
        old->restorer = before.sa_restorer;
        memcpy(&old->mask, &before.sa_mask, sizeof old->mask);
    }
    return result;
}
