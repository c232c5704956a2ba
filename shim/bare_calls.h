/* What the program asks by syscall(2) of signals, answered as libc's wrapped functions answer. */
#ifndef TITHE_SHIM_BARE_CALLS_H
#define TITHE_SHIM_BARE_CALLS_H

#include "os/signal.h"

#include <signal.h>
#include <stddef.h>

long bare_sigaltstack(const stack_t *stack, stack_t *old);
long bare_sigaction(long signal, const struct signal_action *set, struct signal_action *old,
                    size_t mask_bytes);

#endif
