/* Programs that lock themselves in: prctl(PR_SET_SECCOMP) and its usual herald,
 * PR_SET_NO_NEW_PRIVS, and the call seccomp, for which libc has no name.
 *
 * A filter made without knowing of us may kill the process for a system call that a collection
 * needs, and there is no way to ask first. So a process that sandboxes itself is not collected any
 * more, and the collector's threads end before the filter comes, which may be put on all threads:
 * one that sleeps would be killed when it wakes. The heap goes on serving the program. Nor is its
 * signal stack ours any more, nor a handler of deadly signals, since handlers begin with calls that
 * the filter may not know; and where a handler would be put off by such calls, signals are blocked
 * instead. A program that was started inside a sandbox is collected, with calls that the usual
 * service filters allow (os/memory.h).
 */
#include "sandbox.h"

#include "altstack.h"
#include "deadly.h"
#include "dismiss.h"
#include "real.h"

#include "cycle/cycle.h"
#include "os/section.h"
#include "thread/thread.h"

#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>

void sandbox_enter(void) {
    if (cycle_is_ended() || !thread_in_own_process())
        return;
    dismiss_threads();
    cycle_disable();
    dismiss_threads(); /* those that were made meanwhile */
    altstack_hand_back();
    deadly_withdraw();
    section_block_from_now_on();
}

bool sandbox_is_entered(long operation) {
    return operation == SECCOMP_SET_MODE_STRICT || operation == SECCOMP_SET_MODE_FILTER;
}

bool sandbox_is_entered_by_prctl(long operation) {
    return operation == PR_SET_SECCOMP || operation == PR_SET_NO_NEW_PRIVS;
}

TITHE_EXPORT int prctl(int operation, ...) {
    unsigned long values[4];
    va_list arguments;
    va_start(arguments, operation);
    for (int i = 0; i < 4; i++)
        values[i] = va_arg(arguments, unsigned long);
    va_end(arguments);
    if (sandbox_is_entered_by_prctl(operation))
        sandbox_enter();
    return REAL(prctl)(operation, values[0], values[1], values[2], values[3]);
}
