/* gc_threads.h: threads, their stacks, signals, fork, and the allocation lock. Part of gc.h.
 *
 * A program of more than one thread defines GC_THREADS before it includes any header of ours. Its
 * pthread_create is then ours (gc_pthread_redirects.h), and threads are registered from start to
 * end. Threads made by other means must register themselves before they touch an object.
 */
#ifndef GC_THREADS_H
#define GC_THREADS_H

#include "gc_config_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A function called with data of the program's. */
typedef void *(GC_CALLBACK *GC_fn_type)(void *);

/* Calls the function with the allocation lock held and returns its result. Meanwhile nothing is
 * cleared, freed or allocated: the function itself must not allocate either. */
GC_API void *GC_call_with_alloc_lock(GC_fn_type, void * /* data */) GC_ATTR_NONNULL(1);

/* The same for a function that only reads what the lock guards: several may be in one at once. With
 * release, what it wrote all the same is seen by the next who has the lock alone. (8.3) */
GC_API void *GC_call_with_reader_lock(GC_fn_type, void * /* data */, int /* release */)
    GC_ATTR_NONNULL(1);
#define GC_CALL_WITH_READER_LOCK(fn, cd) (void)GC_call_with_reader_lock(fn, cd, 0)

/* The lock itself. Not recursive. */
#ifdef GC_THREADS
GC_API void GC_alloc_lock(void);
GC_API void GC_alloc_unlock(void);
#else
#define GC_alloc_lock() (void)0
#define GC_alloc_unlock() (void)0
#endif

/* A stack's cold end. */
struct GC_stack_base {
    void *mem_base;
};

/* Stores that of the calling thread, registered or not. Returns GC_SUCCESS or GC_UNIMPLEMENTED. */
GC_API int GC_get_stack_base(struct GC_stack_base *) GC_ATTR_NONNULL(1);

/* Calls the function with a cold end that covers its frame and those it calls, for threads that
 * have nothing of interest further out. */
typedef void *(GC_CALLBACK *GC_stack_base_func)(struct GC_stack_base *, void *);
GC_API void *GC_call_with_stack_base(GC_stack_base_func, void * /* data */) GC_ATTR_NONNULL(1);

/* The cold end recorded for the calling, registered thread; returns a handle to the thread. And the
 * other way, for programs that switch stacks: by the handle, or NULL for the calling thread; with
 * the lock held, or in a program of one thread. */
GC_API void *GC_get_my_stackbottom(struct GC_stack_base *) GC_ATTR_NONNULL(1);
GC_API void GC_set_stackbottom(void * /* handle */, const struct GC_stack_base *)
    GC_ATTR_NONNULL(2);

/* Calls the function as of a thread that need not be stopped: what its callers' frames hold stays
 * alive, while the function, which may block, must not touch the heap. Within it, the second calls
 * a function that may. */
GC_API void *GC_do_blocking(GC_fn_type, void * /* data */) GC_ATTR_NONNULL(1);
GC_API void *GC_call_with_gc_active(GC_fn_type, void * /* data */) GC_ATTR_NONNULL(1);

/* What becomes of the collector in a forked child. 1: it works there, by pthread_atfork. -1: it
 * works, but by the program's calls of the three below, around fork and in both processes. 0: the
 * child only calls exec or exit. Before GC_INIT. */
GC_API void GC_set_handle_fork(int);
GC_API void GC_atfork_prepare(void);
GC_API void GC_atfork_parent(void);
GC_API void GC_atfork_child(void);

/* Starts the threads that mark, if some are wanted, after a fork that left them behind. */
GC_API void GC_start_mark_threads(void);

#ifdef GC_THREADS

/* How many threads mark: to be set before GC_INIT, 0 for as many as suit the machine; and how many
 * there are besides the one that collects. */
GC_API void GC_set_markers_count(unsigned);
GC_API int GC_get_parallel(void);
GC_API GC_ATTR_DEPRECATED int GC_parallel;

/* Signals that stop and restart threads: SIGPWR and SIGXCPU unless set before GC_INIT. A program
 * must neither block nor use them. */
GC_API void GC_set_suspend_signal(int);
GC_API void GC_set_thr_restart_signal(int);
GC_API int GC_get_suspend_signal(void);
GC_API int GC_get_thr_restart_signal(void);

/* Must be called, by a registered thread, before others register themselves. */
GC_API void GC_allow_register_threads(void);

/* Registers the calling thread, made by other means than our pthread_create, given its stack's cold
 * end. Returns GC_SUCCESS, or GC_DUPLICATE if it is registered. */
GC_API int GC_register_my_thread(const struct GC_stack_base *) GC_ATTR_NONNULL(1);

/* Asked in each collection about every other thread that was stopped, given where its stack pointer
 * was found to be and its pthread_t: the function may put another address there, if the program
 * runs its threads on stacks of its own (coroutines). NULL, the default, for none. */
typedef void(GC_CALLBACK *GC_sp_corrector_proc)(void ** /* sp_ptr */, void * /* pthread_id */);
GC_API void GC_set_sp_corrector(GC_sp_corrector_proc);
GC_API GC_sp_corrector_proc GC_get_sp_corrector(void);

/* Whether the calling thread is registered. */
GC_API int GC_thread_is_registered(void);

/* Ends what GC_register_my_thread began; to be called before the thread ends. Returns GC_SUCCESS.
 */
GC_API int GC_unregister_my_thread(void);

/* Where the calling thread's stack and its alternate signal stack lie, by start and size, so that
 * the right one is scanned if it is stopped in a handler. */
GC_API void GC_register_altstack(void * /* stack */, GC_word, void * /* altstack */, GC_word);

/* Stops all other registered threads and takes the lock; and undoes it. */
GC_API void GC_stop_world_external(void);
GC_API void GC_start_world_external(void);

#endif

#ifdef __cplusplus
}
#endif

#endif
