/* sigaltstack as the program would see it without us.
 *
 * A thread near a collection has a signal stack of ours. The program's own takes its place when it
 * sets one, and a query never tells of ours. A handler that the program set with SA_ONSTACK,
 * without ever setting a signal stack, runs on ours then. To take that flag away from it, so that
 * it stays on the ordinary stack, was tried: Go's runtime asks the kernel by itself, finds our
 * stack, and ends the process when its handlers do not run there.
 *
 * A program may give a signal stack's memory back while the kernel still has it, if no signal of
 * its own can come any more: ruby frees it at the end of each thread. Ours can come. So the
 * thread's own signal stack is taken from the kernel then; that of another thread stays allocated
 * until the thread lets go of it.
 */
#include "altstack.h"

#include "kernel_held.h"
#include "real.h"

#include "alloc/alloc.h"
#include "os/syscall.h"
#include "thread/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

static bool is_ours(const struct thread *thread, const stack_t *stack) {
    return thread->altstack_low && (uintptr_t)stack->ss_sp == thread->altstack_low;
}

/* A thread's signal stack is held under what pthread_self tells in it, which a fork leaves as it
 * is, and the first of these names; under the second, one that was freed meanwhile. */
enum { IN_USE, FREED };

static uintptr_t own_name(void) { return (uintptr_t)pthread_self(); }

void altstack_is_let_go(void) {
    kernel_held_set(HELD_AS_SIGNAL_STACK, own_name(), IN_USE, 0);
    free_fast((void *)kernel_held_set(HELD_AS_SIGNAL_STACK, own_name(), FREED, 0));
}

void altstack_after_fork(void) { kernel_held_keep_only(HELD_AS_SIGNAL_STACK, own_name()); }

static bool is_in(const stack_t *stack, uintptr_t start, size_t bytes) {
    uintptr_t low = (uintptr_t)stack->ss_sp;
    return !(stack->ss_flags & SS_DISABLE) && low < start + bytes && start < low + stack->ss_size;
}

/* The calling thread's signal stack goes away with this memory, unless it is in use. */
static void take_from_kernel(uintptr_t start, size_t bytes) {
    stack_t stack, none = {.ss_flags = SS_DISABLE};
    if (system_call(SYS_sigaltstack, 0, &stack) != 0 || !is_in(&stack, start, bytes) ||
        system_call(SYS_sigaltstack, &none, 0) != 0)
        return;
    thread_self->program_altstack = thread_self->altstack_tried = false;
    altstack_is_let_go();
}

static bool is_freed(void *object, size_t bytes) {
    if (thread_self->program_altstack)
        take_from_kernel((uintptr_t)object, bytes);
    return kernel_held_note(HELD_AS_SIGNAL_STACK, (uintptr_t)object, bytes, FREED);
}

void altstack_start(void) { alloc_lent_hook = is_freed; }

TITHE_EXPORT int munmap(void *start, size_t bytes) {
    if (thread_self->program_altstack)
        take_from_kernel((uintptr_t)start, bytes);
    return REAL(munmap)(start, bytes);
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
    altstack_is_let_go();
    if (enabled) {
        kernel_held_set(HELD_AS_SIGNAL_STACK, own_name(), IN_USE, (uintptr_t)stack->ss_sp);
        alloc_lend((uintptr_t)stack->ss_sp);
    }
    if (thread->has_cache) {
        thread->program_altstack = enabled;
        thread->altstack_tried = enabled;
    }
    return 0;
}
