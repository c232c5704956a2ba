/* sigaltstack and SA_ONSTACK as the program would see them without us; see altstack.h.
 *
 * A thread near a collection has a signal stack of ours. The program's own takes its place when it
 * sets one, and a query never tells of ours. A handler asked for with SA_ONSTACK in a process where
 * no thread ever set a signal stack runs on the ordinary stack, and must go on doing so: ours is
 * small. So the flag is kept back until the program sets its first signal stack.
 */
#include "altstack.h"

#include "kernel_held.h"
#include "real.h"

#include "os/syscall.h"
#include "thread/thread.h"

#include <stdbool.h>

static bool kept_back[NSIG]; /* SA_ONSTACK was asked for and not yet passed on */
static volatile bool program_uses_altstacks;

int altstack_sigaction(int number, const struct sigaction *action, struct sigaction *old) {
    struct sigaction changed;
    bool valid = number > 0 && number < NSIG, keep = false;
    if (action && valid && !program_uses_altstacks && (action->sa_flags & SA_ONSTACK)) {
        keep = true;
        changed = *action;
        changed.sa_flags &= ~SA_ONSTACK;
        action = &changed;
    }
    bool kept_before = valid && kept_back[number];
    int result = REAL(sigaction)(number, action, old);
    if (result != 0)
        return result;
    if (old && kept_before)
        old->sa_flags |= SA_ONSTACK;
    if (action && valid)
        kept_back[number] = keep;
    return 0;
}

void altstack_forget(int number) {
    if (number > 0 && number < NSIG)
        kept_back[number] = false;
}

/* Two threads may do this at once; both do the same. */
static void pass_on_flags(void) {
    program_uses_altstacks = true;
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (!kept_back[number] || REAL(sigaction)(number, NULL, &action) != 0)
            continue;
        action.sa_flags |= SA_ONSTACK;
        kept_back[number] = false;
        REAL(sigaction)(number, &action, NULL);
    }
}

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
    if (enabled && !program_uses_altstacks)
        pass_on_flags();
    if (thread->has_cache) {
        thread->program_altstack = enabled;
        thread->altstack_tried = enabled;
    }
    return 0;
}
