/* What the files of this room share: starting, the kinds, and what every allocation ends with.
 *
 * The room is libgc's interface over the floors below: it checks arguments, keeps libgc's settings
 * and calls the front door. Public declarations are in include/gc; variables that libgc exports are
 * read and written like any other's, through the global offset table, because a program may have
 * its own copy of them.
 */
#ifndef TITHE_API_API_H
#define TITHE_API_API_H

#include "gc/gc.h"
#include "gc/gc_mark.h"

#include "heap/object.h"
#include "heap/sizes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exported, but not in the public headers. */
extern GC_push_other_roots_proc GC_push_other_roots;

#pragma GCC visibility push(hidden)

struct marker;

/* GC_init, if nobody has called it. */
extern volatile bool api_started;
static inline void api_start(void) {
    if (__builtin_expect(!api_started, 0))
        GC_init();
}

/* What follows an allocation: NULL becomes what GC_oom_fn says, due finalizers run. The caller
 * holds no lock. */
void *api_allocated(void *object, size_t bytes);

/* Before an allocation that is not served from a cache: starts, keeps to the heap's greatest size.
 */
void api_before_allocation(size_t bytes);

/* Runs or announces finalizers that became ready, as GC_finalize_on_demand says. */
void api_finalize(void);

/* A cleared object of a kind by its number; NULL when out of memory. The kind must exist. */
void *kinds_allocate(size_t bytes, unsigned kind);

/* Gives a shaped object that was just allocated its kind. */
void kinds_name(struct object object, unsigned kind);

/* The number of the kind that an allocated object has. */
unsigned kinds_of(struct object object);

/* An allocated object by an address in it. */
bool api_find(const void *address, struct object *object);

/* Prints through GC_set_warn_proc's function; message has one %-directive for a word. */
void api_warn(const char *message, GC_word word);

/* A line for GC_set_abort_func's function, and the end. */
void api_abort(const char *message) __attribute__((noreturn));

/* Tells the function of GC_set_on_collection_event. */
void events_install(void);

/* Reads libgc's environment variables. */
void environment_read(void);

/* Settings that the program may have written without a setter. */
void tunables_apply(void);

void api_roots_start(void);
void api_threads_start(void);

/* From roots and finalization, for the hooks of a cycle. */
void api_push_roots(struct marker *marker);
void disclaim_marked(struct marker *marker);

/* Bytes that no cycle has seen, and the like. */
void statistics_cycle_begun(void);
void statistics_cycle_ended(void);

/* A collection is allowed: neither GC_disable nor the like forbids it. */
bool collect_is_allowed(void);

/* The most bytes the heap may have; 0: no limit. */
extern size_t api_greatest_heap;

/* True for libgc.so.1; false for the preloaded library, whose constructor and wrappers do for all
 * threads and forks what libgc is told of. */
extern const bool api_stands_alone;

/* Debugging objects: checks all of them, and tells where one was allocated. */
void debug_check_heap(void);
bool debug_describe(const void *object, const char **file, int *line, size_t *bytes);

/* Leak mode: notes what is dead, in the stop; says it, afterwards. */
void leak_find(void);
void leak_print(void);

#pragma GCC visibility pop

#endif
