/* Signal stacks of the collector's, which stand in the kernel for the program's own.
 *
 * The kernel runs the stop signal on a thread's signal stack. What the program gave for one may be
 * shared by threads, too small, freed or unmapped, which does no harm as long as no signal of the
 * program's comes. So the kernel gets a stack of ours, and what the program set is noted here; its
 * handlers are moved to where they would have run (os/handler_entry.h).
 *
 * A note lies at the upper end of its stack, so that a signal frame alone leads to it: handlers may
 * run where there is no thread-local memory. It is written by the thread that the stack belongs to,
 * and by its handlers.
 */
#ifndef TITHE_OS_SIGNAL_STACK_H
#define TITHE_OS_SIGNAL_STACK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct signal_stack {
    uintptr_t low, high;
    stack_t program; /* as the kernel would have it; of no size: none */
};

/* What the kernel can be given, flags and all, and what the handlers of all signals need if they
 * come at once. The least is what sigaltstack accepts, as a program knows it. */
enum { SIGNAL_STACK_LEAST = 2048, SIGNAL_STACK_AUTODISARM = (int)(1u << 31) };
size_t signal_stack_frames_bytes(void);

/* Makes one of a block of pages that is never given back, the lowest of which becomes a guard. One
 * caller at a time. NULL if there can be none. */
struct signal_stack *signal_stack_make(uintptr_t block, size_t bytes);

/* The program has none, as a thread at its beginning. */
void signal_stack_clear(struct signal_stack *stack);

/* The one that the kernel's setting tells of; NULL when it tells of none of ours. */
struct signal_stack *signal_stack_of(const stack_t *setting);

static inline bool signal_stack_holds(const struct signal_stack *stack, uintptr_t address) {
    return address - stack->low < stack->high - stack->low;
}

/* The same of the program's, as the kernel sees it. */
bool signal_stack_program_holds(const struct signal_stack *stack, uintptr_t address);

/* Whether a stack is large enough for a handler of ours on top of one of the program's. */
bool signal_stack_has_room(const stack_t *setting);

/* The calling thread's setting in the kernel, and giving it one of ours. False when the kernel
 * refuses, as it does to a thread that runs on the one it has. */
bool signal_stack_ask(stack_t *setting);
bool signal_stack_give(const struct signal_stack *stack);
void signal_stack_give_none(void);

/* sigaltstack(2) as the program knows it, for a thread that runs at this address and has one of
 * ours. 0 or a negative errno. */
int signal_stack_change(struct signal_stack *stack, uintptr_t here, const stack_t *change,
                        stack_t *old);

#endif
