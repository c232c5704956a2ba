/* sigaltstack as the program would see it without us.
 *
 * A thread near a collection has a signal stack of ours. The program's own takes its place when it
 * sets one, and a query never tells of ours. A handler that the program set with SA_ONSTACK,
 * without ever setting a signal stack, runs on ours then. To take that flag away from it, so that
 * it stays on the ordinary stack, was tried: Go's runtime asks the kernel by itself, finds our
 * stack, and ends the process when its handlers do not run there.
 */
#include "kernel_held.h"
#include "real.h"

#include "os/syscall.h"
#include "thread/thread.h"

#include <signal.h>
#include <stdbool.h>

static bool is_ours(const struct thread *thread, const stack_t *stack) {
    return thread->altstack_low && (uintptr_t)stack->ss_sp == thread->altstack_low;
}

/* While a handler runs on our stack the kernel refuses a change, as it would refuse one of the
 * program's; everything else passes through. */
TITHE_EXPORT int sigaltstack(const stack_t *stack, stack_t *old) {
    struct thread *thread = thread_self;
    stack_t before;
    int result = REAL(sigaltstack)(stack, &before);
    if (result != 0)
        return result;
    if (is_ours(thread, &before))
        before = (stack_t){.ss_flags = SS_DISABLE};
    if (old)
        *old = before;
    if (stack == NULL)
        return 0;
    bool enabled = !(stack->ss_flags & SS_DISABLE);
    kernel_held_set(HELD_AS_SIGNAL_STACK, system_call(SYS_gettid), 0,
                    enabled ? (uintptr_t)stack->ss_sp : 0);
    if (thread->has_cache) {
        thread->program_altstack = enabled;
        thread->altstack_tried = enabled;
    }
    return 0;
}
