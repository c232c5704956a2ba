/* Programs that lock themselves in: prctl(PR_SET_SECCOMP) and its usual herald,
 * PR_SET_NO_NEW_PRIVS.
 *
 * A filter made without knowing of us may kill the process for a system call that a collection
 * needs, and there is no way to ask first. So a process that sandboxes itself is not collected any
 * more; its heap goes on serving it. Nor is its signal stack ours any more, where handlers begin
 * with calls that the filter may not know. A program that was started inside a sandbox is
 * collected, with calls that the usual service filters allow (os/memory.h).
 */
#include "altstack.h"
#include "real.h"

#include "cycle/cycle.h"
#include "thread/thread.h"

#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/prctl.h>

TITHE_EXPORT int prctl(int operation, ...) {
    unsigned long values[4];
    va_list arguments;
    va_start(arguments, operation);
    for (int i = 0; i < 4; i++)
        values[i] = va_arg(arguments, unsigned long);
    va_end(arguments);
    bool locks = operation == PR_SET_SECCOMP || operation == PR_SET_NO_NEW_PRIVS;
    if (locks && thread_in_own_process()) {
        cycle_disable();
        altstack_hand_back();
    }
    return REAL(prctl)(operation, values[0], values[1], values[2], values[3]);
}
