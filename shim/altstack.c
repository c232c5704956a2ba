/* sigaltstack as the program would see it without us.
 *
 * A thread near a collection has a signal stack of ours in the kernel, and so has one that sets a
 * signal stack of its own; that is noted (os/signal_stack.h), and handlers are moved there
 * (os/handler_entry.h). A query never tells of ours.
 *
 * Where handlers cannot be moved the kernel has the program's signal stack. The program may give
 * its memory back while the kernel still has it, if no signal of its own can come any more: ruby
 * frees it at the end of each thread. Ours can come. So the thread's own signal stack is taken from
 * the kernel then; that of another thread stays allocated until the thread lets go of it.
 */
#include "altstack.h"

#include "kernel_held.h"
#include "real.h"

#include "alloc/alloc.h"
#include "os/handler_entry.h"
#include "os/signal_stack.h"
#include "os/syscall.h"
#include "thread/thread.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

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
    thread_self->program_altstack = false;
    thread_self->altstack_asked = 0;
    altstack_is_let_go();
}

static bool is_freed(void *object, size_t bytes) {
    if (thread_self->program_altstack)
        take_from_kernel((uintptr_t)object, bytes);
    return kernel_held_note(HELD_AS_SIGNAL_STACK, (uintptr_t)object, bytes, FREED);
}

void altstack_start(void) {
    alloc_lent_hook = is_freed;
    thread_covers_altstacks = handler_entry_moves();
}

void altstack_unmaps(const void *start, size_t bytes) {
    if (thread_self->program_altstack)
        take_from_kernel((uintptr_t)start, bytes);
}

static void note(const stack_t *stack) {
    altstack_is_let_go();
    if (stack->ss_flags & SS_DISABLE)
        return;
    kernel_held_set(HELD_AS_SIGNAL_STACK, own_name(), IN_USE, (uintptr_t)stack->ss_sp);
    if (!handler_entry_moves())
        alloc_lend((uintptr_t)stack->ss_sp);
}

/* The kernel has none of ours. No signal may come while it has the program's. */
static int change_in_kernel(const stack_t *stack, stack_t *old) {
    signal_set all = ~(signal_set)0, before;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    int result = REAL(sigaltstack)(stack, old);
    if (result == 0 && stack && thread_in_own_process()) {
        if (!(stack->ss_flags & SS_DISABLE))
            thread_cover_altstack();
        else if (thread_self->has_cache)
            thread_self->program_altstack = false;
    }
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof before);
    return result;
}

/* A child of vfork has the kernel's setting for itself, and our note of it in common with us. */
static int change_in_child(const struct signal_stack *ours, uintptr_t here, const stack_t *stack,
                           stack_t *old) {
    struct signal_stack copy = *ours;
    int result = signal_stack_change(&copy, here, stack, old);
    return result == 0 && stack ? (int)system_call(SYS_sigaltstack, stack, 0) : result;
}

static int change(struct signal_stack *ours, const stack_t *stack, stack_t *old) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (stack && signal_stack_holds(ours, here))
        return -EPERM;
    if (!thread_in_own_process())
        return change_in_child(ours, here, stack, old);
    return signal_stack_change(ours, here, stack, old);
}

static struct signal_stack *ours_in_kernel(void) {
    stack_t setting;
    return signal_stack_ask(&setting) ? signal_stack_of(&setting) : NULL;
}

/* In a handler that runs on our stack nothing changes. */
void altstack_hand_back(void) {
    struct signal_stack *ours = ours_in_kernel();
    thread_covers_altstacks = false;
    if (ours == NULL || signal_stack_holds(ours, (uintptr_t)__builtin_frame_address(0)))
        return;
    if (ours->program.ss_size == 0)
        signal_stack_give_none();
    else
        system_call(SYS_sigaltstack, &ours->program, 0);
    thread_self->program_altstack = ours->program.ss_size != 0;
}

TITHE_EXPORT int sigaltstack(const stack_t *stack, stack_t *old) {
    struct signal_stack *ours = ours_in_kernel();
    int failure = ours ? change(ours, stack, old) : 0;
    if (ours == NULL && change_in_kernel(stack, old) != 0)
        return -1;
    if (failure) {
        errno = -failure;
        return -1;
    }
    if (stack && thread_in_own_process())
        note(stack);
    return 0;
}

/* libc's check that a jump leads out of frames, and not into one, asks the kernel whether the
 * thread is on its signal stack, which may lie anywhere. */
_Noreturn void __longjmp_chk(jmp_buf environment, int value);
TITHE_EXPORT void __longjmp_chk(jmp_buf environment, int value) {
    struct signal_stack *ours = ours_in_kernel();
    if (ours && signal_stack_program_holds(ours, (uintptr_t)__builtin_frame_address(0)))
        siglongjmp(environment, value);
    REAL(__longjmp_chk)(environment, value);
    __builtin_unreachable();
}
