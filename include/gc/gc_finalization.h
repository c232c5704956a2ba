/* gc_finalization.h: what happens when objects die. Part of gc.h.
 *
 * Finalizers run once, after the collection that found the object unreachable, in a thread that
 * allocates or calls GC_invoke_finalizers, without the lock: they may allocate, and must expect to
 * run in the middle of the program's own work. The object is whole while its finalizer runs and is
 * collected by a later cycle unless it was made reachable again.
 */
#ifndef GC_FINALIZATION_H
#define GC_FINALIZATION_H

#include "gc_config_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A finalizer: the object and what was registered with it. */
typedef void(GC_CALLBACK *GC_finalization_proc)(void * /* obj */, void * /* client_data */);

/* Registers the finalizer of an object, given its start, in place of any before; NULL for none. The
 * replaced one is stored by the last two arguments unless they are NULL. If there is no memory for
 * it the old one stays.
 *
 * With this first function an object waits for the finalizers of those that lead to it; objects in
 * a cycle are never finalized. */
GC_API void GC_register_finalizer(void * /* obj */, GC_finalization_proc, void * /* client_data */,
                                  GC_finalization_proc * /* old */, void ** /* old_client_data */)
    GC_ATTR_NONNULL(1);

/* The same, but what the object itself points to in itself is no cycle. */
GC_API void GC_register_finalizer_ignore_self(void *, GC_finalization_proc, void *,
                                              GC_finalization_proc *, void **) GC_ATTR_NONNULL(1);

/* In no order: as soon as it is unreachable from the program, whatever else leads to it. */
GC_API void GC_register_finalizer_no_order(void *, GC_finalization_proc, void *,
                                           GC_finalization_proc *, void **) GC_ATTR_NONNULL(1);

/* In no order, but only when no object that still waits for a finalizer of another sort leads to
 * it. With GC_set_java_finalization only. */
GC_API void GC_register_finalizer_unreachable(void *, GC_finalization_proc, void *,
                                              GC_finalization_proc *, void **) GC_ATTR_NONNULL(1);

/* The same for objects of gc_debugging.h. */
GC_API void GC_debug_register_finalizer(void *, GC_finalization_proc, void *,
                                        GC_finalization_proc *, void **) GC_ATTR_NONNULL(1);
GC_API void GC_debug_register_finalizer_ignore_self(void *, GC_finalization_proc, void *,
                                                    GC_finalization_proc *, void **)
    GC_ATTR_NONNULL(1);
GC_API void GC_debug_register_finalizer_no_order(void *, GC_finalization_proc, void *,
                                                 GC_finalization_proc *, void **)
    GC_ATTR_NONNULL(1);
GC_API void GC_debug_register_finalizer_unreachable(void *, GC_finalization_proc, void *,
                                                    GC_finalization_proc *, void **)
    GC_ATTR_NONNULL(1);

#ifdef GC_DEBUG
#define GC_REGISTER_FINALIZER(p, f, d, of, od) GC_debug_register_finalizer(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_IGNORE_SELF(p, f, d, of, od)                                         \
    GC_debug_register_finalizer_ignore_self(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_NO_ORDER(p, f, d, of, od)                                            \
    GC_debug_register_finalizer_no_order(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_UNREACHABLE(p, f, d, of, od)                                         \
    GC_debug_register_finalizer_unreachable(p, f, d, of, od)
#else
#define GC_REGISTER_FINALIZER(p, f, d, of, od) GC_register_finalizer(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_IGNORE_SELF(p, f, d, of, od)                                         \
    GC_register_finalizer_ignore_self(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_NO_ORDER(p, f, d, of, od)                                            \
    GC_register_finalizer_no_order(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_UNREACHABLE(p, f, d, of, od)                                         \
    GC_register_finalizer_unreachable(p, f, d, of, od)
#endif

/* Whether unreachable objects with finalizers keep what they lead to until these have run. Default
 * 1, as in Debian. Before GC_INIT. */
GC_API void GC_set_java_finalization(int);
GC_API int GC_get_java_finalization(void);
GC_API GC_ATTR_DEPRECATED int GC_java_finalization;

/* Whether finalizers run in GC_invoke_finalizers only. Default 0. */
GC_API void GC_set_finalize_on_demand(int);
GC_API int GC_get_finalize_on_demand(void);
GC_API GC_ATTR_DEPRECATED int GC_finalize_on_demand;

/* Called once after a collection that made finalizers ready, when they run on demand: to wake the
 * thread that will call GC_invoke_finalizers. Without the lock. */
typedef void(GC_CALLBACK *GC_finalizer_notifier_proc)(void);
GC_API void GC_set_finalizer_notifier(GC_finalizer_notifier_proc);
GC_API GC_finalizer_notifier_proc GC_get_finalizer_notifier(void);
GC_API GC_ATTR_DEPRECATED GC_finalizer_notifier_proc GC_finalizer_notifier;

/* Whether finalizers are ready. */
GC_API int GC_should_invoke_finalizers(void);

/* Runs the ready finalizers in this thread and returns how many. */
GC_API int GC_invoke_finalizers(void);

/* At most so many are called in one go; 0, the default, for all there are. GC_finalize_all sets it
 * back. (8.3) */
GC_API void GC_set_interrupt_finalizers(unsigned);
GC_API unsigned GC_get_interrupt_finalizers(void);

/* Called with each object found ready for its finalizer, in the collection, with the lock held. */
typedef void(GC_CALLBACK *GC_await_finalize_proc)(void *);
GC_API void GC_set_await_finalize_proc(GC_await_finalize_proc);
GC_API GC_await_finalize_proc GC_get_await_finalize_proc(void);

/* What the functions below return; some also what those of gc_threads.h do. */
#define GC_SUCCESS 0
#define GC_DUPLICATE 1  /* was so already */
#define GC_NO_THREADS 2 /* the library knows no threads */
#define GC_NO_MEMORY 2
#define GC_UNIMPLEMENTED 3 /* not possible here */
#define GC_NOT_FOUND 4     /* no such link */

/* Weak references: *link is cleared when the object is found unreachable, before its finalizer can
 * run. The link lies where it does not keep the object: in atomic memory or outside the heap, or it
 * is hidden by GC_HIDE_POINTER; to read it, take the lock (GC_call_with_alloc_lock), reveal, and
 * let it go once a visible pointer exists. A link that dies is forgotten. The object is given by
 * its start. */
GC_API int GC_general_register_disappearing_link(void ** /* link */, const void * /* obj */)
    GC_ATTR_NONNULL(1) GC_ATTR_NONNULL(2);

/* For a link inside the object that is to die. */
GC_API int GC_register_disappearing_link(void **) GC_ATTR_NONNULL(1);

/* The registration follows the link to its new place. */
GC_API int GC_move_disappearing_link(void ** /* link */, void ** /* new_link */) GC_ATTR_NONNULL(2);

/* Returns 1 if it was registered. */
GC_API int GC_unregister_disappearing_link(void **);

/* The same with links that hold beyond finalizers: cleared when the object's memory is collected.
 */
GC_API int GC_register_long_link(void **, const void *) GC_ATTR_NONNULL(1) GC_ATTR_NONNULL(2);
GC_API int GC_move_long_link(void **, void **) GC_ATTR_NONNULL(2);
GC_API int GC_unregister_long_link(void **);

/* For objects of either set of allocating functions, as GC_DEBUG says. */
#ifdef GC_DEBUG
#define GC_GENERAL_REGISTER_DISAPPEARING_LINK(link, obj)                                           \
    GC_general_register_disappearing_link(link, GC_base((void *)(obj)))
#define GC_REGISTER_LONG_LINK(link, obj) GC_register_long_link(link, GC_base((void *)(obj)))
#else
#define GC_GENERAL_REGISTER_DISAPPEARING_LINK(link, obj)                                           \
    GC_general_register_disappearing_link(link, obj)
#define GC_REGISTER_LONG_LINK(link, obj) GC_register_long_link(link, obj)
#endif

/* Toggle references: strong or weak as the program decides anew for each object in every
 * collection, by a callback with the lock held. DROP ends the registration. */
typedef enum { GC_TOGGLE_REF_DROP, GC_TOGGLE_REF_STRONG, GC_TOGGLE_REF_WEAK } GC_ToggleRefStatus;
typedef GC_ToggleRefStatus(GC_CALLBACK *GC_toggleref_func)(void *);
GC_API void GC_set_toggleref_func(GC_toggleref_func);
GC_API GC_toggleref_func GC_get_toggleref_func(void);

/* Registers an object by its start, strong or not until the callback is first asked. Returns
 * GC_SUCCESS or GC_NO_MEMORY; registered twice, the callback is asked twice. */
GC_API int GC_toggleref_add(void *, int /* is_strong */) GC_ATTR_NONNULL(1);
GC_API int GC_debug_toggleref_add(void *, int /* is_strong */) GC_ATTR_NONNULL(1); /* (8.3) */

/* A pointer in a form that keeps nothing alive. */
typedef GC_word GC_hidden_pointer;
#define GC_HIDE_POINTER(p) (~(GC_hidden_pointer)(p))
#define GC_REVEAL_POINTER(p) ((void *)GC_HIDE_POINTER(p))
#if defined(I_HIDE_POINTERS) || defined(GC_I_HIDE_POINTERS)
#define HIDE_POINTER(p) GC_HIDE_POINTER(p)
#define REVEAL_POINTER(p) GC_REVEAL_POINTER(p)
#endif

/* The object is alive until execution passes here, whatever the compiler made of other uses of ptr.
 */
#define GC_reachable_here(ptr) __asm__ __volatile__(" " : : "X"(ptr) : "memory")

#ifdef __cplusplus
}
#endif

#endif
