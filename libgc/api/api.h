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
#include "thread/thread.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exported, but not in the public headers. */
extern GC_push_other_roots_proc GC_push_other_roots;
void GC_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void GC_log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void GC_err_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

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

/* Warns, and asks GC_oom_fn. */
void *api_out_of_memory(size_t bytes);

/* Before an allocation that is not served from a cache: starts. False when the heap would outgrow
 * its greatest size, even after a collection. */
bool api_before_allocation(size_t bytes);

/* Runs or announces finalizers that became ready, as GC_finalize_on_demand says. */
void api_finalize(void);

/* The byte that is asked for beyond what the program asks for, so that a pointer one past the end
 * leads into the object wherever it is kept; 0 where the program does without interior pointers.
 * Written before anything is allocated. */
extern unsigned char api_end_byte;
static inline size_t api_with_end(size_t bytes) {
    return bytes <= SIZE_MAX - api_end_byte ? bytes + api_end_byte : SIZE_MAX;
}

/* A cleared object of a kind by its number, of no more than these bytes; NULL when out of memory.
 * The kind must exist. */
void *kinds_allocate(size_t bytes, unsigned kind);

/* Gives a shaped object that was just allocated its kind. */
void kinds_name(struct object object, unsigned kind);

/* The number of the kind that an allocated object has. */
unsigned kinds_of(struct object object);

/* An allocated object by an address in it. */
bool api_find(const void *address, struct object *object);

/* Prints through GC_set_warn_proc's function; message has at most one %-directive, for a word. */
#define API_WARNING "GC Warning: " /* what every message begins with */
void api_warn(const char *message, GC_word word);

/* A line for GC_set_abort_func's function, and the end. */
void api_abort(const char *message) __attribute__((noreturn));

/* Tells the function of GC_set_on_collection_event. */
void events_install(void);

/* Reads libgc's environment variables. */
void environment_read(void);

/* When the options are known; and settings that the program may have written without a setter. */
void tunables_start(void);
void tunables_apply(void);

/* A mark has ended that left so many bytes: what it cost tells how much the heap may grow. */
void tunables_note_work(size_t live);

void api_roots_start(void);
void api_threads_start(void);

/* Threads that have ended and can still be joined, by what pthread_self was in them. */
void ended_start(void);

/* The calling thread is about to end. */
void ended_note(void);

/* The number of a thread that has ended or not; 0 when it is not known. Asked for before a call
 * after which the thread cannot be joined any more; then it is forgotten, but not another thread
 * that libc may have given the same descriptor in between. 0: whichever thread it is. */
int ended_number(uintptr_t handle);
void ended_forget(uintptr_t handle, int number);

/* In the child of a fork, which has the lock. */
void ended_forget_all(void);

/* Remembers whether the program wants it to rest, to be told. */
void ended_suspend(uintptr_t handle, bool suspended);
bool ended_is_suspended(uintptr_t handle);

/* In the stop, with weak_lock. */
void ended_push_results(struct marker *marker);

/* The marker of the conductor, while it may be pushed to; else NULL. */
struct marker *api_pushing(void);

/* In the stop, when all is marked: what the function of GC_set_on_mark_stack_empty knows of. */
void pushing_ask(struct marker *marker);

/* After an allocation: tells the function of GC_set_on_os_get_mem of memory that came; or did not.
 */
void sections_tell(void);
void sections_tell_failure(size_t bytes);

/* In the child of a fork. */
void readers_after_fork(void);

/* In the stop: asks the function of GC_set_sp_corrector about each stopped thread. */
void threads_correct_stack_pointers(void);

/* From roots and finalization, for the hooks of a cycle. */
void api_push_roots(struct marker *marker);
void api_end_pushing(void);
void disclaim_mark_contents(struct marker *marker);
void disclaim_ask(struct marker *marker);

/* The program holds a lock of ours from now on, or no longer (1, -1): it may call malloc, which is
 * ours under the preload, with it. */
void api_count_program_lock(int change);

/* libgc's allocation lock, around a function of the program's. */
void api_lend_lock(void);
void api_take_lock_back(void);

/* Which libraries the program does not want to be looked at: asked before a cycle, on the thread's
 * own stack and with no lock; and left out, before the cycle's first plan of roots. */
void libraries_ask(void);
void libraries_leave_out(void);
bool api_is_data_segment(const ElfW(Phdr) * segment);

/* Bytes that no cycle has seen, and the like. */
void statistics_cycle_begun(void);
void statistics_cycle_ended(void);

/* The program frees an object of so many bytes; and what the calling thread has freed is to outlive
 * its record. */
static inline void statistics_freed(size_t bytes) { thread_self->freed_bytes += bytes; }
void statistics_thread_leaves(void);

/* How many cycles have ended. */
size_t statistics_cycles(void);

/* The program wants the heap to be larger by so much, and does not any more: memory that is only
 * reserved counts as the heap's meanwhile. */
void statistics_expanded(size_t bytes);
void statistics_forget_expansion(void);

/* While the collector starts: whether incremental mode is on from the beginning, and whether it can
 * be had at all; and a larger heap, as by GC_expand_hp. */
void collect_set_incremental(bool wanted, bool forbidden);
int collect_expand(size_t bytes);

/* A collection is allowed: neither GC_disable nor the like forbids it. */
bool collect_is_allowed(void);

/* The most bytes the heap may have; 0: no limit. */
extern size_t api_greatest_heap;

/* True for libgc.so.1; false for the preloaded library, whose constructor and wrappers do for all
 * threads and forks what libgc is told of. */
extern const bool api_stands_alone;

/* Calls the function for each object whose state byte is wanted. */
void api_each_object(bool (*is_wanted)(unsigned char state), GC_reachable_object_proc function,
                     void *data);

/* Debugging objects: notes which were damaged, in the stop; says it, afterwards; and tells where
 * one was allocated. */
void debug_find_damage(void);
void debug_print_damage(void);
bool debug_describe(const void *object, const char **file, int *line, size_t *bytes);

/* Leak mode: notes what is dead, in the stop; says it, afterwards. */
void leak_find(void);
void leak_print(void);

/* From now on a collection at the end of the program tells what was lost. */
void leak_start(void);

/* With GC_DUMP_REGULARLY: a dump, if a cycle has ended since the last one. */
void dump_if_due(void);

/* The name that the program has for an object, by an address in it, or an empty text; at most
 * GC_TYPE_DESCR_LEN characters and a 0. */
void dump_name_type(const void *address, char *text);

extern bool dump_regularly;

/* Where messages for standard output and standard error go, if not there. */
void api_log_everything_to(int fd);

#pragma GCC visibility pop

#endif
