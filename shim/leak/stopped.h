/* Stacks and registers of threads that stand, for the search: which part of each stack is in use,
 * and which is left from functions that have returned.
 *
 * With the world stopped and the registry's lock. The main thread's stack has no fixed bounds: it
 * is one of the maps, and is known once a walk over those has told of it.
 */
#ifndef TITHE_SHIM_LEAK_STOPPED_H
#define TITHE_SHIM_LEAK_STOPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map;
struct thread;

typedef void stopped_visit(uintptr_t start, uintptr_t end, void *context);

void stopped_note_map(const struct map *map);
bool stopped_is_in_main_stack(uintptr_t address);

/* The first part of [at, end) that is a thread's own stack; false when there is none. */
bool stopped_next_stack(uintptr_t at, uintptr_t end, uintptr_t *low, uintptr_t *high);

/* Calls visit, without a context, for all that is there of the live or the dead parts. */
void stopped_each_live(stopped_visit *visit);
void stopped_each_dead(stopped_visit *visit);

/* The same for each range of saved registers. */
void stopped_each_register(void (*visit)(const void *start, size_t bytes, void *context));

/* The thread in whose saved registers the address lies, if any. */
const struct thread *stopped_thread_with_register(uintptr_t address);

#endif
