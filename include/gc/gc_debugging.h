/* gc_debugging.h: allocation that remembers where it was asked for and notices writes past an
 * object's ends, and pointer arithmetic that checks itself. Part of gc.h; programs use its macros
 * under GC_DEBUG, which must be defined before the first header is included.
 */
#ifndef GC_DEBUGGING_H
#define GC_DEBUGGING_H

#include "gc_config_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The call site handed to the functions below. */
#define GC_EXTRAS __FILE__, __LINE__
#define GC_EXTRA_PARAMS const char *s, int i

/* What gc.h has without debug_, with a header before each object and guards at its ends, which are
 * checked when it is freed and at collections. An object of one set must not go to the other. */
GC_API void *GC_debug_malloc(size_t, GC_EXTRA_PARAMS) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_debug_malloc_atomic(size_t, GC_EXTRA_PARAMS) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_debug_malloc_uncollectable(size_t, GC_EXTRA_PARAMS)
    GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_debug_malloc_atomic_uncollectable(size_t, GC_EXTRA_PARAMS)
    GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_debug_malloc_ignore_off_page(size_t, GC_EXTRA_PARAMS)
    GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_debug_malloc_atomic_ignore_off_page(size_t, GC_EXTRA_PARAMS)
    GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API char *GC_debug_strdup(const char *, GC_EXTRA_PARAMS) GC_ATTR_MALLOC;
GC_API char *GC_debug_strndup(const char *, size_t, GC_EXTRA_PARAMS)
    GC_ATTR_MALLOC GC_ATTR_NONNULL(1);
#ifdef GC_REQUIRE_WCSDUP
GC_API wchar_t *GC_debug_wcsdup(const wchar_t *, GC_EXTRA_PARAMS) GC_ATTR_MALLOC GC_ATTR_NONNULL(1);
#endif
GC_API void *GC_debug_realloc(void *, size_t, GC_EXTRA_PARAMS) GC_ATTR_ALLOC_SIZE(2);
GC_API void GC_debug_free(void *);
GC_API void GC_debug_freezero(void *, size_t);                                         /* (8.3) */
GC_API void *GC_debug_reallocf(void *, size_t, GC_EXTRA_PARAMS) GC_ATTR_ALLOC_SIZE(2); /* (8.3) */
GC_API void GC_debug_end_stubborn_change(const void *) GC_ATTR_NONNULL(1);
GC_API void GC_debug_ptr_store_and_dirty(void *, const void *);
GC_API void GC_debug_register_displacement(size_t);
GC_API GC_ATTR_DEPRECATED void *GC_debug_malloc_stubborn(size_t, GC_EXTRA_PARAMS);
GC_API GC_ATTR_DEPRECATED void GC_debug_change_stubborn(const void *);

/* With an unknown call site, to stand where malloc and realloc are called. */
GC_API void *GC_debug_malloc_replacement(size_t) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_debug_realloc_replacement(void *, size_t) GC_ATTR_ALLOC_SIZE(2);

/* Returns p if both point into the same object, or both into none; otherwise reports that by
 * GC_same_obj_print_proc, which by default aborts. */
GC_API void *GC_same_obj(void * /* p */, void * /* q */);

/* Adds bytes to *p, which must stay in its object as by GC_same_obj. Returns the new and the old
 * value. */
GC_API void *GC_pre_incr(void ** /* p */, ptrdiff_t /* bytes */) GC_ATTR_NONNULL(1);
GC_API void *GC_post_incr(void ** /* p */, ptrdiff_t /* bytes */) GC_ATTR_NONNULL(1);

/* Returns its argument if the collector sees pointers stored there: on a stack, in a root, in a
 * scanned object. Otherwise reports by GC_is_visible_print_proc. */
GC_API void *GC_is_visible(void *);

/* Returns its argument if, stored in the heap, it would keep its object alive or points to none.
 * Otherwise reports by GC_is_valid_displacement_print_proc. */
GC_API void *GC_is_valid_displacement(void *);

/* Called on a failed check with the pointers in question. To be set before the first check. */
GC_API void(GC_CALLBACK *GC_same_obj_print_proc)(void *, void *);
GC_API void(GC_CALLBACK *GC_is_visible_print_proc)(void *);
GC_API void(GC_CALLBACK *GC_is_valid_displacement_print_proc)(void *);

/* The same by functions. (8.3) */
typedef void(GC_CALLBACK *GC_same_obj_print_proc_t)(void *, void *);
typedef void(GC_CALLBACK *GC_valid_ptr_print_proc_t)(void *);
GC_API void GC_set_same_obj_print_proc(GC_same_obj_print_proc_t);
GC_API GC_same_obj_print_proc_t GC_get_same_obj_print_proc(void);
GC_API void GC_set_is_visible_print_proc(GC_valid_ptr_print_proc_t);
GC_API GC_valid_ptr_print_proc_t GC_get_is_visible_print_proc(void);
GC_API void GC_set_is_valid_displacement_print_proc(GC_valid_ptr_print_proc_t);
GC_API GC_valid_ptr_print_proc_t GC_get_is_valid_displacement_print_proc(void);

/* Pointer arithmetic and stores, checked as above under GC_DEBUG and plain C without it. x is an
 * lvalue of pointer type where it changes; n counts elements. The forms ending in 3 name the type
 * of the result for compilers without typeof. */
#ifdef GC_DEBUG
#define GC_PTR_ADD3(x, n, type_of_result) ((type_of_result)GC_same_obj((x) + (n), (x)))
#define GC_PRE_INCR3(x, n, type_of_result)                                                         \
    ((type_of_result)GC_pre_incr((void **)(&(x)), (n) * sizeof(*x)))
#define GC_POST_INCR3(x, n, type_of_result)                                                        \
    ((type_of_result)GC_post_incr((void **)(&(x)), (n) * sizeof(*x)))
#define GC_PTR_ADD(x, n) GC_PTR_ADD3(x, n, __typeof__(x))
#define GC_PRE_INCR(x, n) GC_PRE_INCR3(x, n, __typeof__(x))
#define GC_POST_INCR(x) GC_POST_INCR3(x, 1, __typeof__(x))
#define GC_POST_DECR(x) GC_POST_INCR3(x, -1, __typeof__(x))
#define GC_PTR_STORE(p, q)                                                                         \
    (*(void **)GC_is_visible((void *)(p)) = GC_is_valid_displacement((void *)(q)))
#else
#define GC_PTR_ADD(x, n) ((x) + (n))
#define GC_PRE_INCR(x, n) ((x) += (n))
#define GC_POST_INCR(x) ((x)++)
#define GC_POST_DECR(x) ((x)--)
#define GC_PTR_STORE(p, q) (*(void **)(p) = (void *)(q))
#endif

#ifdef __cplusplus
}
#endif

#endif
