/* gc.h: memory that need not be freed. The interface of bdwgc 8.2, served by tithe.
 *
 * Objects are found alive from registers, stacks, data segments of the program and its libraries,
 * registered roots and other objects; any word that looks like the address of an object, or into
 * one, keeps it. Nothing ever moves. What must not be the only place of a pointer: memory of malloc
 * or mmap (unless registered by GC_add_roots), files, other processes, disguised addresses.
 *
 * Every function may be called by any registered thread (gc_threads.h) at any time unless it is
 * said otherwise, but not by signal handlers. Sizes are bytes.
 *
 * This file: start, allocation, collection. The rest comes with it:
 *   gc_settings.h      what can be tuned, and callbacks
 *   gc_heap.h          roots, sizes, statistics, dumps
 *   gc_finalization.h  finalizers, weak references
 *   gc_threads.h       threads, stacks, signals, fork, the allocation lock
 *   gc_debugging.h     call sites, guarded objects, checked pointer arithmetic
 */
#ifndef GC_H
#define GC_H

#include "gc_config_macros.h"
#include "gc_debugging.h"
#include "gc_finalization.h"
#include "gc_heap.h"
#include "gc_settings.h"
#include "gc_threads.h"
#include "gc_version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Starts the collector; once, in the main thread, before any other thread uses it. Later calls do
 * nothing. Programs use GC_INIT(), which also applies the settings of gc_settings.h. */
GC_API void GC_init(void);

/* Whether GC_init has run. */
GC_API int GC_is_init_called(void);

/* Ends the use of the collector at exit. No object may be used afterwards. */
GC_API void GC_deinit(void);

/* Allocation. All of these return memory aligned to 16 bytes, never NULL for a size of 0, and the
 * result of GC_oom_fn (by default NULL) when there is no memory even after a collection. bdwgc adds
 * a byte to every object so that a pointer past its end stays inside it; tithe does not need to. */

/* Zeroed, and scanned for pointers. */
GC_API void *GC_malloc(size_t) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);

/* Never scanned: the caller promises that it keeps no object alive. Not zeroed. */
GC_API void *GC_malloc_atomic(size_t) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);

/* Zeroed, scanned, and a root: lives until GC_free. */
GC_API void *GC_malloc_uncollectable(size_t) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);

/* As GC_malloc_uncollectable, but neither zeroed nor scanned. */
GC_API void *GC_malloc_atomic_uncollectable(size_t) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);

/* For large objects: the caller keeps a pointer into the first 512 bytes for as long as the object
 * is needed, so that what merely looks like an address further inside need not keep it alive. */
GC_API void *GC_malloc_ignore_off_page(size_t) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_malloc_atomic_ignore_off_page(size_t) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);

/* A list of objects of this size, linked by their first words (GC_NEXT) up to a NULL; apart from
 * the link they are as GC_malloc returns them. The list belongs to the caller, who clears a link
 * before the object goes elsewhere. */
GC_API void *GC_malloc_many(size_t) GC_ATTR_MALLOC;
#define GC_NEXT(p) (*(void **)(p))

/* Copies in memory as of GC_malloc_atomic; NULL with errno ENOMEM if there is none. GC_strdup of
 * NULL is NULL. GC_strndup copies at most the given number of bytes and ends the copy with a 0. */
GC_API char *GC_strdup(const char *) GC_ATTR_MALLOC;
GC_API char *GC_strndup(const char *, size_t) GC_ATTR_MALLOC GC_ATTR_NONNULL(1);

#ifdef GC_REQUIRE_WCSDUP
/* Declared on demand as in bdwgc; Debian's library is built without them, and so is ours. */
GC_API wchar_t *GC_wcsdup(const wchar_t *) GC_ATTR_MALLOC GC_ATTR_NONNULL(1);
#endif

/* Scanned memory, zeroed, at an address that is a multiple of align, a power of two. The second
 * returns 0, EINVAL or ENOMEM, and leaves *memptr alone unless it is 0. */
GC_API void *GC_memalign(size_t /* align */, size_t /* bytes */)
    GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(2);
GC_API int GC_posix_memalign(void ** /* memptr */, size_t /* align */, size_t /* bytes */)
    GC_ATTR_NONNULL(1);

/* At the start of a page; the second of whole pages. (8.3) */
GC_API void *GC_valloc(size_t) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_pvalloc(size_t) GC_ATTR_MALLOC;

/* Gives the start of an object another size, moving it if it must. The new object is of the same
 * kind as the old one, and what is new in a scanned object is zero. Of NULL it is GC_malloc; to 0
 * bytes it is GC_free and NULL. On NULL for want of memory the old object stays. */
GC_API void *GC_realloc(void *, size_t) GC_ATTR_ALLOC_SIZE(2);

/* Frees an object at once. Never needed except for uncollectable ones. NULL is ignored; what is not
 * the start of a live object is a fatal error. The object must have no finalizer and no weak
 * reference left that would still be used. */
GC_API void GC_free(void *);

/* The same, having cleared so many bytes, or all there are; and GC_realloc that frees the object
 * where it cannot give it the size. (8.3) */
GC_API void GC_freezero(void *, size_t);
GC_API void *GC_reallocf(void *, size_t) GC_ATTR_ALLOC_SIZE(2);

/* The start of the object that the address lies in, or NULL. Also for objects with a header of
 * gc_debugging.h, whose start is before the pointer that was handed out. */
GC_API void *GC_base(void *);

/* Whether the address lies in the collector's heap, in an object or not. */
GC_API int GC_is_heap_ptr(const void *);

/* The usable size of an object, given its start; at least the size asked for. */
GC_API size_t GC_size(const void *);

/* Says that an object was written, for collections that trust the program to say so (see
 * GC_set_manual_vdb_allowed). The second also stores q in *p and keeps q alive until then. Tithe
 * sees writes by itself and has no such need. */
GC_API void GC_end_stubborn_change(const void *) GC_ATTR_NONNULL(1);
GC_API void GC_ptr_store_and_dirty(void * /* p */, const void * /* q */);

/* Objects that rarely change were once a kind of their own. Now as GC_malloc, and nothing. */
GC_API GC_ATTR_DEPRECATED void *GC_malloc_stubborn(size_t);
GC_API GC_ATTR_DEPRECATED void GC_change_stubborn(const void *);
#define GC_MALLOC_STUBBORN(sz) GC_MALLOC(sz)
#define GC_NEW_STUBBORN(t) GC_NEW(t)
#define GC_CHANGE_STUBBORN(p) GC_change_stubborn(p)

/* The same functions by their macros, which programs should use: with GC_DEBUG they become the
 * checking ones of gc_debugging.h. A program must not mix the two for one object: what came from
 * GC_MALLOC goes to GC_REALLOC, GC_FREE, GC_REGISTER_FINALIZER. With GC_DEBUG_REPLACEMENT call
 * sites are left out of the first two, so that they can stand for malloc and realloc. */
#ifdef GC_DEBUG
#ifdef GC_DEBUG_REPLACEMENT
#define GC_MALLOC(sz) GC_debug_malloc_replacement(sz)
#define GC_REALLOC(old, sz) GC_debug_realloc_replacement(old, sz)
#else
#define GC_MALLOC(sz) GC_debug_malloc(sz, GC_EXTRAS)
#define GC_REALLOC(old, sz) GC_debug_realloc(old, sz, GC_EXTRAS)
#endif
#define GC_MALLOC_ATOMIC(sz) GC_debug_malloc_atomic(sz, GC_EXTRAS)
#define GC_MALLOC_UNCOLLECTABLE(sz) GC_debug_malloc_uncollectable(sz, GC_EXTRAS)
#define GC_MALLOC_ATOMIC_UNCOLLECTABLE(sz) GC_debug_malloc_atomic_uncollectable(sz, GC_EXTRAS)
#define GC_MALLOC_IGNORE_OFF_PAGE(sz) GC_debug_malloc_ignore_off_page(sz, GC_EXTRAS)
#define GC_MALLOC_ATOMIC_IGNORE_OFF_PAGE(sz) GC_debug_malloc_atomic_ignore_off_page(sz, GC_EXTRAS)
#define GC_STRDUP(s) GC_debug_strdup(s, GC_EXTRAS)
#define GC_STRNDUP(s, sz) GC_debug_strndup(s, sz, GC_EXTRAS)
#define GC_FREE(p) GC_debug_free(p)
#define GC_FREEZERO(p, sz) GC_debug_freezero(p, sz)
#define GC_REALLOCF(old, sz) GC_debug_reallocf(old, sz, GC_EXTRAS)
#define GC_TOGGLEREF_ADD(p, is_strong) GC_debug_toggleref_add(p, is_strong)
#define GC_END_STUBBORN_CHANGE(p) GC_debug_end_stubborn_change(p)
#define GC_PTR_STORE_AND_DIRTY(p, q) GC_debug_ptr_store_and_dirty(p, q)
#define GC_REGISTER_DISPLACEMENT(n) GC_debug_register_displacement(n)
#else
#define GC_MALLOC(sz) GC_malloc(sz)
#define GC_REALLOC(old, sz) GC_realloc(old, sz)
#define GC_MALLOC_ATOMIC(sz) GC_malloc_atomic(sz)
#define GC_MALLOC_UNCOLLECTABLE(sz) GC_malloc_uncollectable(sz)
#define GC_MALLOC_ATOMIC_UNCOLLECTABLE(sz) GC_malloc_atomic_uncollectable(sz)
#define GC_MALLOC_IGNORE_OFF_PAGE(sz) GC_malloc_ignore_off_page(sz)
#define GC_MALLOC_ATOMIC_IGNORE_OFF_PAGE(sz) GC_malloc_atomic_ignore_off_page(sz)
#define GC_STRDUP(s) GC_strdup(s)
#define GC_STRNDUP(s, sz) GC_strndup(s, sz)
#define GC_FREE(p) GC_free(p)
#define GC_FREEZERO(p, sz) GC_freezero(p, sz)
#define GC_REALLOCF(old, sz) GC_reallocf(old, sz)
#define GC_TOGGLEREF_ADD(p, is_strong) GC_toggleref_add(p, is_strong)
#define GC_END_STUBBORN_CHANGE(p) GC_end_stubborn_change(p)
#define GC_PTR_STORE_AND_DIRTY(p, q) GC_ptr_store_and_dirty(p, q)
#define GC_REGISTER_DISPLACEMENT(n) GC_register_displacement(n)
#endif

#ifdef GC_REQUIRE_WCSDUP
#ifdef GC_DEBUG
#define GC_WCSDUP(s) GC_debug_wcsdup(s, GC_EXTRAS)
#else
#define GC_WCSDUP(s) GC_wcsdup(s)
#endif
#endif

/* One object of type t. */
#define GC_NEW(t) ((t *)GC_MALLOC(sizeof(t)))
#define GC_NEW_ATOMIC(t) ((t *)GC_MALLOC_ATOMIC(sizeof(t)))
#define GC_NEW_UNCOLLECTABLE(t) ((t *)GC_MALLOC_UNCOLLECTABLE(sizeof(t)))

/* Collection. Tithe marks beside the running program and stops it for moments only; these wait for
 * the end of a whole cycle that begins after the call. */
GC_API void GC_gcollect(void);

/* The same, and gives all free memory back to the system. */
GC_API void GC_gcollect_and_unmap(void);

/* As GC_gcollect, but gives up when the function, polled meanwhile, says so; whether a collection
 * came to its end. */
GC_API int GC_try_to_collect(GC_stop_func) GC_ATTR_NONNULL(1);

/* Between these, calls of which may be nested, no collection starts and the heap grows instead.
 * GC_enable more often than GC_disable does nothing. */
GC_API void GC_disable(void);
GC_API void GC_enable(void);
GC_API int GC_is_disabled(void);

/* Ends a collection that goes on, and then is GC_disable. (8.3) */
GC_API void GC_finish_and_disable(void);

/* Incremental collection: bdwgc's way to short pauses. Tithe's are short in any case; this selects
 * what GC_is_incremental_mode answers. */
GC_API void GC_enable_incremental(void);
GC_API int GC_is_incremental_mode(void);

/* Begins a collection if none is under way. */
GC_API void GC_start_incremental_collection(void);

/* Does some of a collection's work; whether some is left. */
GC_API int GC_collect_a_little(void);

/* Which memory may be protected against writing while a collection runs, so that a system call that
 * should write there could fail in bdwgc: a sum of GC_PROTECTS_.... */
GC_API int GC_incremental_protection_needs(void);
#define GC_PROTECTS_NONE 0
#define GC_PROTECTS_POINTER_HEAP 1
#define GC_PROTECTS_PTRFREE_HEAP 2
#define GC_PROTECTS_STATIC_DATA 4
#define GC_PROTECTS_STACK 8

/* Starts the collector as the settings say that the program defined as macros before it included
 * this file: each is explained in gc_settings.h. A statement, to be executed by the main thread
 * before it creates others. */
#define GC_INIT()                                                                                  \
    {                                                                                              \
        GC_INIT_CONF_DONT_EXPAND;                                                                  \
        GC_INIT_CONF_FORCE_UNMAP_ON_GCOLLECT;                                                      \
        GC_INIT_CONF_MAX_RETRIES;                                                                  \
        GC_INIT_CONF_ALLOCD_BYTES_PER_FINALIZER;                                                   \
        GC_INIT_CONF_FREE_SPACE_DIVISOR;                                                           \
        GC_INIT_CONF_FULL_FREQ;                                                                    \
        GC_INIT_CONF_TIME_LIMIT;                                                                   \
        GC_INIT_CONF_MARKERS;                                                                      \
        GC_INIT_CONF_SUSPEND_SIGNAL;                                                               \
        GC_INIT_CONF_THR_RESTART_SIGNAL;                                                           \
        GC_INIT_CONF_MAXIMUM_HEAP_SIZE;                                                            \
        GC_init();                                                                                 \
        GC_INIT_CONF_ROOTS;                                                                        \
        GC_INIT_CONF_IGNORE_WARN;                                                                  \
        GC_INIT_CONF_INITIAL_HEAP_SIZE;                                                            \
    }

#ifdef __cplusplus
}
#endif

/* Last, so that the names it redirects are not redirected in any declaration above. */
#ifdef GC_THREADS
#include "gc_pthread_redirects.h"
#endif

#endif
