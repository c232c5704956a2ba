/* gc_gcj.h: objects as those of Java: the first word points to a table whose word at offset 8, as
 * seen from the pointer, is the descriptor (gc_mark.h) of the objects it is common to.
 */
#ifndef GC_GCJ_H
#define GC_GCJ_H

#include "gc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* To be called first; later calls do nothing. The mark procedure is that of descriptors made by
 * GC_MAKE_PROC with its number, which usually is GC_GCJ_RESERVED_MARK_PROC_INDEX. */
GC_API void GC_init_gcj_malloc(int /* number */, void * /* a GC_mark_proc */);

/* Zeroed but for the first word, which is the table's address. */
GC_API void *GC_gcj_malloc(size_t, void * /* table */) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_gcj_malloc_ignore_off_page(size_t, void * /* table */)
    GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_debug_gcj_malloc(size_t, void * /* table */, GC_EXTRA_PARAMS)
    GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);

/* The kinds of these objects, 0 before the first call above. Read only. */
GC_API int GC_gcj_kind;
GC_API int GC_gcj_debug_kind;

#ifdef GC_DEBUG
#define GC_GCJ_MALLOC(s, d) GC_debug_gcj_malloc(s, d, GC_EXTRAS)
#define GC_GCJ_MALLOC_IGNORE_OFF_PAGE(s, d) GC_debug_gcj_malloc(s, d, GC_EXTRAS)
#else
#define GC_GCJ_MALLOC(s, d) GC_gcj_malloc(s, d)
#define GC_GCJ_MALLOC_IGNORE_OFF_PAGE(s, d) GC_gcj_malloc_ignore_off_page(s, d)
#endif

#ifdef __cplusplus
}
#endif

#endif
