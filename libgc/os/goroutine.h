/* Whether code at an address may run on a goroutine's stack.
 *
 * Go's runtime asks the kernel itself which signal stack a thread has, keeps that, and ends the
 * process if a handler of its runs elsewhere; a goroutine's own stack has no room for one. So where
 * Go found a stack of ours, handlers must stay on it. An object file with Go in it says so in a
 * note, or at least in its data. Async-signal-safe, and reads no thread-local memory.
 */
#ifndef TITHE_OS_GOROUTINE_H
#define TITHE_OS_GOROUTINE_H

#include <stdbool.h>
#include <stdint.h>

bool goroutine_may_run(uintptr_t address);

#endif
