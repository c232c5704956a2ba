/* System calls that the program makes by syscall(2), where libc has a function that is wrapped:
 * they are the same to us. What it calls by an instruction of its own escapes. */
#include "real.h"

#include "os/signal.h"
#include "os/syscall.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#if defined(__x86_64__)

/* Called from syscall.S, and so named there alone. */
#define CALLED_BY_ASSEMBLER __attribute__((visibility("hidden"), used))

CALLED_BY_ASSEMBLER long bare_failed(long result);
CALLED_BY_ASSEMBLER long bare_sigaltstack(long number, const stack_t *stack, stack_t *old);
CALLED_BY_ASSEMBLER long bare_sigaction(long number, long signal, const struct signal_action *set,
                                        struct signal_action *old, size_t mask_bytes);

long bare_failed(long result) {
    errno = (int)-result;
    return -1;
}

long bare_sigaltstack(long number, const stack_t *stack, stack_t *old) {
    (void)number;
    return sigaltstack(stack, old);
}

/* libc's two signals, and what is not valid, are the kernel's business. */
static bool is_libcs_business(long signal, size_t mask_bytes) {
    return signal > 0 && signal < _NSIG && signal != 32 && signal != SIGNAL_BORROWED &&
           mask_bytes == sizeof(signal_set);
}

long bare_sigaction(long number, long signal, const struct signal_action *set,
                    struct signal_action *old, size_t mask_bytes) {
    struct sigaction action = {0}, before;
    if (!is_libcs_business(signal, mask_bytes)) {
        long result = system_call(number, signal, set, old, mask_bytes);
        return result < 0 ? bare_failed(result) : result;
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

#endif
