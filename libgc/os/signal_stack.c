/* Signal stacks of the collector's; see signal_stack.h. */
#include "os/signal_stack.h"

#include "os/syscall.h"
#include "os/vm.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

enum {
    SIGNALS = 64,
    HANDLER_BYTES = 16384 /* for a handler of the program's and one of ours */
};

/* All stacks lie between these, and no memory of the program's does. Written by the maker, whose
 * caller keeps others out; read by handlers in threads that got a stack since. */
#define NAMED_IN_ASSEMBLY __attribute__((visibility("hidden"), used))
volatile uintptr_t signal_stacks_low NAMED_IN_ASSEMBLY = UINTPTR_MAX;
volatile uintptr_t signal_stacks_high NAMED_IN_ASSEMBLY;

size_t signal_stack_frames_bytes(void) { return SIGNALS * getauxval(AT_MINSIGSTKSZ); }

void signal_stack_clear(struct signal_stack *stack) { stack->program = (stack_t){0}; }

struct signal_stack *signal_stack_make(uintptr_t block, size_t bytes) {
    uintptr_t high = (block + bytes - sizeof(struct signal_stack)) & ~(uintptr_t)63;
    struct signal_stack *stack = (struct signal_stack *)high;
    if (!vm_guard(block, vm_page_bytes()))
        return NULL;
    stack->low = block + vm_page_bytes();
    stack->high = high;
    signal_stack_clear(stack);
    if (block < signal_stacks_low)
        signal_stacks_low = block;
    if (block + bytes > signal_stacks_high)
        signal_stacks_high = block + bytes;
    return stack;
}

struct signal_stack *signal_stack_of(const stack_t *setting) {
    uintptr_t low = (uintptr_t)setting->ss_sp;
    if (low < signal_stacks_low || low >= signal_stacks_high)
        return NULL;
    return (struct signal_stack *)(low + setting->ss_size);
}

/* The kernel's own test: a thread is never on a stack that disarms itself. */
bool signal_stack_program_holds(const struct signal_stack *stack, uintptr_t address) {
    const stack_t *program = &stack->program;
    uintptr_t low = (uintptr_t)program->ss_sp;
    return !(program->ss_flags & SIGNAL_STACK_AUTODISARM) && address > low &&
           address - low <= program->ss_size;
}

bool signal_stack_has_room(const stack_t *setting) {
    return setting->ss_size >= HANDLER_BYTES + getauxval(AT_MINSIGSTKSZ);
}

bool signal_stack_ask(stack_t *setting) { return system_call(SYS_sigaltstack, 0, setting) == 0; }

bool signal_stack_give(const struct signal_stack *stack) {
    stack_t setting = {.ss_sp = (void *)stack->low, .ss_size = stack->high - stack->low};
    return system_call(SYS_sigaltstack, &setting, 0) == 0;
}

void signal_stack_give_none(void) {
    stack_t none = {.ss_flags = SS_DISABLE};
    system_call(SYS_sigaltstack, &none, 0);
}

/* In the kernel's order. */
static int set(struct signal_stack *stack, uintptr_t here, const stack_t *change) {
    int mode = change->ss_flags & ~SIGNAL_STACK_AUTODISARM;
    if (signal_stack_program_holds(stack, here))
        return -EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -EINVAL;
    if (mode != SS_DISABLE && change->ss_size < SIGNAL_STACK_LEAST)
        return -ENOMEM;
    stack->program = (stack_t){.ss_flags = change->ss_flags};
    if (mode != SS_DISABLE) {
        stack->program.ss_sp = change->ss_sp;
        stack->program.ss_size = change->ss_size;
    }
    return 0;
}

int signal_stack_change(struct signal_stack *stack, uintptr_t here, const stack_t *change,
                        stack_t *old) {
    stack_t before = stack->program;
    bool is_on = signal_stack_program_holds(stack, here);
    int result = change ? set(stack, here, change) : 0;
    if (result == 0 && old) {
        before.ss_flags &= SIGNAL_STACK_AUTODISARM;
        before.ss_flags |= before.ss_size == 0 ? SS_DISABLE : is_on ? SS_ONSTACK : 0;
        *old = before;
    }
    return result;
}
