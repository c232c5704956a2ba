/* Alternate stacks: memory for them, and the switch onto one.
 *
 * While a function runs by altstack_call, the caller's own stack is frozen: every callee-saved
 * register lies on it at or above the published stack pointer, so [pointer, stack top) holds all
 * that the thread's own frames keep alive. A debugger's backtrace passes through the switch.
 */
#ifndef TITHE_OS_ALTSTACK_H
#define TITHE_OS_ALTSTACK_H

#include <stddef.h>
#include <stdint.h>

/* Calls function(argument) with the stack pointer at top (aligned down to 16) and returns when it
 * does. Before the switch *frozen is set to the caller's stack pointer. */
void altstack_call(uintptr_t top, void (*function)(void *), void *argument,
                   volatile uintptr_t *frozen);

#endif
