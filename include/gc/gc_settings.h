/* gc_settings.h: what a program can tune, and the callbacks it can set. Part of gc.h.
 *
 * Each setting is a pair of functions. Setters may be called before GC_INIT, and where it is said
 * so must be; getters tell the value in force. Most have a deprecated variable, too, to be written
 * before GC_INIT only; the functions are safe beside other threads. What steers bdwgc's way of
 * collecting is kept and read back, even where tithe collects in a way that has no use for it.
 */
#ifndef GC_SETTINGS_H
#define GC_SETTINGS_H

#include "gc_config_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

/* When to collect and how much memory to take. */

/* About how much to allocate between collections: heap size divided by this. Default 3; more saves
 * memory and takes time. */
GC_API void GC_set_free_space_divisor(GC_word);
GC_API GC_word GC_get_free_space_divisor(void);
GC_API GC_ATTR_DEPRECATED GC_word GC_free_space_divisor;

/* Bytes to allocate at least between two collections; not 0. */
GC_API void GC_set_min_bytes_allocd(size_t);
GC_API size_t GC_get_min_bytes_allocd(void);

/* Bytes to count as allocated for each finalizer registered. */
GC_API void GC_set_allocd_bytes_per_finalizer(GC_word);
GC_API GC_word GC_get_allocd_bytes_per_finalizer(void);

/* Bytes of the heap that the program will free itself, so that a collection would not gain them. */
GC_API void GC_set_non_gc_bytes(GC_word);
GC_API GC_word GC_get_non_gc_bytes(void);
GC_API GC_ATTR_DEPRECATED GC_word GC_non_gc_bytes;

/* The heap's largest size in bytes, 0 for no limit. */
GC_API void GC_set_max_heap_size(GC_word);

/* Makes the heap larger by this many bytes now; whether that was possible. */
GC_API int GC_expand_hp(size_t);

/* Whether to collect rather than let the heap grow. */
GC_API void GC_set_dont_expand(int);
GC_API int GC_get_dont_expand(void);
GC_API GC_ATTR_DEPRECATED int GC_dont_expand;

/* How many collections more to try before giving up for want of memory. */
GC_API void GC_set_max_retries(GC_word);
GC_API GC_word GC_get_max_retries(void);
GC_API GC_ATTR_DEPRECATED GC_word GC_max_retries;

/* Whether no collection starts unless asked for. */
GC_API void GC_set_disable_automatic_collection(int);
GC_API int GC_get_disable_automatic_collection(void);

/* Non-zero while collections are disabled; GC_disable and GC_enable add and subtract 1. */
#ifdef GC_DONT_GC
GC_API int GC_dont_gc;
#else
GC_API GC_ATTR_DEPRECATED int GC_dont_gc;
#endif

/* Whether to leave out the collection that GC_init does. */
GC_API void GC_set_dont_precollect(int);
GC_API int GC_get_dont_precollect(void);
GC_API GC_ATTR_DEPRECATED int GC_dont_precollect;

/* Whether to fill the heap wholly before it grows. */
GC_API GC_ATTR_DEPRECATED int GC_use_entire_heap;

/* Whether GC_gcollect gives memory back like GC_gcollect_and_unmap. */
GC_API void GC_set_force_unmap_on_gcollect(int);
GC_API int GC_get_force_unmap_on_gcollect(void);

/* Whether code may be executed in the heap. Before GC_INIT. */
GC_API void GC_set_pages_executable(int);
GC_API int GC_get_pages_executable(void);

/* What bdwgc's incremental mode does. */

/* The longest pause wanted, in milliseconds; with the second pair also nanoseconds beyond these.
 * GC_TIME_UNLIMITED, the default, is none. */
#define GC_TIME_UNLIMITED 999999
struct GC_timeval_s {
    unsigned long tv_ms;   /* milliseconds */
    unsigned long tv_nsec; /* and nanoseconds, less than a million */
};
GC_API void GC_set_time_limit(unsigned long);
GC_API unsigned long GC_get_time_limit(void);
GC_API void GC_set_time_limit_tv(struct GC_timeval_s);
GC_API struct GC_timeval_s GC_get_time_limit_tv(void);
GC_API GC_ATTR_DEPRECATED unsigned long GC_time_limit;

/* Partial collections between two full ones. */
GC_API void GC_set_full_freq(int);
GC_API int GC_get_full_freq(void);
GC_API GC_ATTR_DEPRECATED int GC_full_freq;

/* Work done in each step, in units of bdwgc's own; and steps given up before the world is stopped.
 */
GC_API void GC_set_rate(int);
GC_API int GC_get_rate(void);
GC_API void GC_set_max_prior_attempts(int);
GC_API int GC_get_max_prior_attempts(void);

/* Whether the program says itself what it writes, by GC_END_STUBBORN_CHANGE. Before incremental
 * mode is enabled. */
GC_API void GC_set_manual_vdb_allowed(int);
GC_API int GC_get_manual_vdb_allowed(void);

/* Whether faults of the program's may be used to notice writes; remembered, and never done. How
 * written pages can be known at all, and how they are: sums of GC_VDB_.... (8.3) */
GC_API void GC_set_mprotect_vdb_allowed(int);
GC_API int GC_get_mprotect_vdb_allowed(void);
#define GC_VDB_NONE 0
#define GC_VDB_MPROTECT 1
#define GC_VDB_MANUAL 2
#define GC_VDB_DEFAULT 4
#define GC_VDB_GWW 8
#define GC_VDB_PROC 0x20
#define GC_VDB_SOFT 0x40
#define GC_VDB_UFFDWP 0x80
GC_API unsigned GC_get_supported_vdbs(void);
GC_API unsigned GC_get_actual_vdb(void);

/* What is found alive. */

/* Whether an address within an object, stored in the heap, keeps the object. Default 1. When 0,
 * only addresses of starts do, and those displaced as by GC_register_displacement. Before GC_INIT.
 */
GC_API void GC_set_all_interior_pointers(int);
GC_API int GC_get_all_interior_pointers(void);
GC_API GC_ATTR_DEPRECATED int GC_all_interior_pointers;

/* Whether the data of shared libraries is no root. Before GC_INIT. */
GC_API void GC_set_no_dls(int);
GC_API int GC_get_no_dls(void);
GC_API GC_ATTR_DEPRECATED int GC_no_dls;

/* The main thread's stack's cold end, where it cannot be found out. Before GC_INIT. */
GC_API GC_ATTR_DEPRECATED char *GC_stackbottom;

/* Whether to report objects that become unreachable without GC_free instead of reusing them. */
GC_API void GC_set_find_leak(int);
GC_API int GC_get_find_leak(void);
GC_API GC_ATTR_DEPRECATED int GC_find_leak;

/* When memory is wanting: called with the size asked for, without the lock; its result is what the
 * allocation returns. */
typedef void *(GC_CALLBACK *GC_oom_func)(size_t);
GC_API void GC_set_oom_fn(GC_oom_func) GC_ATTR_NONNULL(1);
GC_API GC_oom_func GC_get_oom_fn(void);
GC_API GC_ATTR_DEPRECATED GC_oom_func GC_oom_fn;

/* Prints that memory is wanting, calls the function of GC_set_abort_func with NULL, and exits with
 * status 1. Not a GC_oom_func itself. */
GC_API void GC_abort_on_oom(void);

/* A warning: a printf format for one word, and the word. Called with the lock held: it must not
 * allocate. The default prints it; GC_ignore_warn_proc does not. */
typedef void(GC_CALLBACK *GC_warn_proc)(char *, GC_word);
GC_API void GC_set_warn_proc(GC_warn_proc) GC_ATTR_NONNULL(1);
GC_API GC_warn_proc GC_get_warn_proc(void);
GC_API void GC_ignore_warn_proc(char *, GC_word);

/* Called with the reason before the collector aborts the program. */
typedef void(GC_CALLBACK *GC_abort_func)(const char *);
GC_API void GC_set_abort_func(GC_abort_func) GC_ATTR_NONNULL(1);
GC_API GC_abort_func GC_get_abort_func(void);

/* The file descriptor that statistics and messages go to. */
GC_API void GC_set_log_fd(int);

/* What happened. The first ten are steps of a collection, told with the lock held, the four about
 * the world possibly while it is stopped; the last two concern one thread, here named by its
 * pthread_t. A callback must neither allocate nor wait for another thread. NULL for none. */
typedef enum {
    GC_EVENT_START,
    GC_EVENT_MARK_START,
    GC_EVENT_MARK_END,
    GC_EVENT_RECLAIM_START,
    GC_EVENT_RECLAIM_END,
    GC_EVENT_END,
    GC_EVENT_PRE_STOP_WORLD,
    GC_EVENT_POST_STOP_WORLD,
    GC_EVENT_PRE_START_WORLD,
    GC_EVENT_POST_START_WORLD,
    GC_EVENT_THREAD_SUSPENDED,
    GC_EVENT_THREAD_UNSUSPENDED
} GC_EventType;

typedef void(GC_CALLBACK *GC_on_collection_event_proc)(GC_EventType);
GC_API void GC_set_on_collection_event(GC_on_collection_event_proc);
GC_API GC_on_collection_event_proc GC_get_on_collection_event(void);

#ifdef GC_THREADS
typedef void(GC_CALLBACK *GC_on_thread_event_proc)(GC_EventType, void * /* thread */);
GC_API void GC_set_on_thread_event(GC_on_thread_event_proc);
GC_API GC_on_thread_event_proc GC_get_on_thread_event(void);
#endif

/* Called with the heap's new size, the lock held. NULL for none. */
typedef void(GC_CALLBACK *GC_on_heap_resize_proc)(GC_word);
GC_API void GC_set_on_heap_resize(GC_on_heap_resize_proc);
GC_API GC_on_heap_resize_proc GC_get_on_heap_resize(void);
GC_API GC_ATTR_DEPRECATED GC_on_heap_resize_proc GC_on_heap_resize;

/* Polled while a collection runs: non-zero asks to give it up. Any thread may call it, with the
 * world stopped and the lock held, so it must not allocate. This one is for collections that start
 * by themselves; GC_try_to_collect is given one. */
typedef int(GC_CALLBACK *GC_stop_func)(void);
GC_API void GC_set_stop_func(GC_stop_func) GC_ATTR_NONNULL(1);
GC_API GC_stop_func GC_get_stop_func(void);

/* The program's wishes for GC_INIT, defined as macros before gc.h is included. Those with a value
 * stand for the setter of that name:
 *   GC_FREE_SPACE_DIVISOR, GC_FULL_FREQ, GC_TIME_LIMIT, GC_MAX_RETRIES,
 *   GC_ALLOCD_BYTES_PER_FINALIZER, and with GC_THREADS also GC_MARKERS;
 *   GC_MAXIMUM_HEAP_SIZE  for GC_set_max_heap_size
 *   GC_INITIAL_HEAP_SIZE  bytes the heap has at least afterwards
 *   GC_SIG_SUSPEND, GC_SIG_THR_RESTART  with GC_THREADS, for the setters in gc_threads.h
 * and those without:
 *   GC_DONT_EXPAND, GC_FORCE_UNMAP_ON_GCOLLECT  switch that setting on
 *   GC_DONT_GC      never collect
 *   GC_IGNORE_WARN  print no warnings
 */
#define GC_INIT_CONF_ROOTS

#ifdef GC_DONT_EXPAND
#define GC_INIT_CONF_DONT_EXPAND GC_set_dont_expand(1)
#else
#define GC_INIT_CONF_DONT_EXPAND
#endif

#ifdef GC_FORCE_UNMAP_ON_GCOLLECT
#define GC_INIT_CONF_FORCE_UNMAP_ON_GCOLLECT GC_set_force_unmap_on_gcollect(1)
#else
#define GC_INIT_CONF_FORCE_UNMAP_ON_GCOLLECT
#endif

/* How often to retry a collection means nothing where none is done. */
#ifdef GC_DONT_GC
#define GC_INIT_CONF_MAX_RETRIES (void)(GC_dont_gc = 1)
#elif defined(GC_MAX_RETRIES)
#define GC_INIT_CONF_MAX_RETRIES GC_set_max_retries(GC_MAX_RETRIES)
#else
#define GC_INIT_CONF_MAX_RETRIES
#endif

#ifdef GC_ALLOCD_BYTES_PER_FINALIZER
#define GC_INIT_CONF_ALLOCD_BYTES_PER_FINALIZER                                                    \
    GC_set_allocd_bytes_per_finalizer(GC_ALLOCD_BYTES_PER_FINALIZER)
#else
#define GC_INIT_CONF_ALLOCD_BYTES_PER_FINALIZER
#endif

#ifdef GC_FREE_SPACE_DIVISOR
#define GC_INIT_CONF_FREE_SPACE_DIVISOR GC_set_free_space_divisor(GC_FREE_SPACE_DIVISOR)
#else
#define GC_INIT_CONF_FREE_SPACE_DIVISOR
#endif

#ifdef GC_FULL_FREQ
#define GC_INIT_CONF_FULL_FREQ GC_set_full_freq(GC_FULL_FREQ)
#else
#define GC_INIT_CONF_FULL_FREQ
#endif

#ifdef GC_TIME_LIMIT
#define GC_INIT_CONF_TIME_LIMIT GC_set_time_limit(GC_TIME_LIMIT)
#else
#define GC_INIT_CONF_TIME_LIMIT
#endif

#if defined(GC_MARKERS) && defined(GC_THREADS)
#define GC_INIT_CONF_MARKERS GC_set_markers_count(GC_MARKERS)
#else
#define GC_INIT_CONF_MARKERS
#endif

#if defined(GC_SIG_SUSPEND) && defined(GC_THREADS)
#define GC_INIT_CONF_SUSPEND_SIGNAL GC_set_suspend_signal(GC_SIG_SUSPEND)
#else
#define GC_INIT_CONF_SUSPEND_SIGNAL
#endif

#if defined(GC_SIG_THR_RESTART) && defined(GC_THREADS)
#define GC_INIT_CONF_THR_RESTART_SIGNAL GC_set_thr_restart_signal(GC_SIG_THR_RESTART)
#else
#define GC_INIT_CONF_THR_RESTART_SIGNAL
#endif

#ifdef GC_MAXIMUM_HEAP_SIZE
#define GC_INIT_CONF_MAXIMUM_HEAP_SIZE GC_set_max_heap_size(GC_MAXIMUM_HEAP_SIZE)
#else
#define GC_INIT_CONF_MAXIMUM_HEAP_SIZE
#endif

#ifdef GC_IGNORE_WARN
#define GC_INIT_CONF_IGNORE_WARN GC_set_warn_proc(GC_ignore_warn_proc)
#else
#define GC_INIT_CONF_IGNORE_WARN
#endif

#ifdef GC_INITIAL_HEAP_SIZE
#define GC_INIT_CONF_INITIAL_HEAP_SIZE                                                             \
    (void)(GC_get_heap_size() < (GC_INITIAL_HEAP_SIZE) &&                                          \
           GC_expand_hp((GC_INITIAL_HEAP_SIZE)-GC_get_heap_size()))
#else
#define GC_INIT_CONF_INITIAL_HEAP_SIZE
#endif

#ifdef __cplusplus
}
#endif

#endif
