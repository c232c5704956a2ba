/* Stacks and registers: where the live part of a thread's stack lies, and reading both.
 *
 * The registry's lock is held, unless a thread scans its own stack. Bounds of the main thread's
 * stack are not fixed: it is one of the maps, which a walk tells about.
 */
#ifndef TITHE_ROOTS_STACKS_H
#define TITHE_ROOTS_STACKS_H

#include <stdbool.h>
#include <stdint.h>

struct map;
struct marker;
struct thread;

/* Stopped, or running because it is the collecting thread; not gone. */
bool stack_is_there(const struct thread *thread);

/* Where the live part of a thread's stack begins. */
uintptr_t stack_live_start(const struct thread *thread);

/* Room for what stacks_find notes of so many threads. Before a stop. False when out of memory. */
bool stacks_make_room(unsigned threads);

/* Looks where all stacks are. What the next ones tell is as of then. */
void stacks_find(void);

/* True if a thread's stack pointer lies in the range; if a thread's stack lies in it, too. */
bool stacks_hold_pointer(uintptr_t start, uintptr_t end);
bool stacks_overlap(uintptr_t start, uintptr_t end);

/* Calls visit for the stack pointers in a range, in order. False when some may be unknown. */
bool stacks_each_pointer(uintptr_t start, uintptr_t end,
                         void (*visit)(uintptr_t pointer, void *context), void *context);

/* Remembers the map of the main thread's stack, and tells where its live part begins: at the map's
 * start while the main thread is elsewhere. */
uintptr_t stack_main_start(const struct map *map);

/* Scans the registers of a stopped thread, its stack pointer, and what it has on a stack of ours.
 */
void stack_scan_registers(struct marker *marker, const struct thread *thread);

/* Scans the live part of a thread's own stack, as a thread that is frozen or in its signal handler
 * does for itself; the marker can copy. Does nothing when the thread is not on a stack with known
 * bounds. */
void roots_scan_own_stack(struct marker *marker, const struct thread *thread);

#endif
