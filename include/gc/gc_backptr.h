/* gc_backptr.h: what keeps an object alive. Only special builds of bdwgc know; Debian's library and
 * ours have none of these functions, and a program that calls them does not link. */
#ifndef GC_BACKPTR_H
#define GC_BACKPTR_H

#include "gc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    GC_UNREFERENCED,   /* by nothing the last collection saw */
    GC_NO_SPACE,       /* unknown: nothing was recorded */
    GC_REFD_FROM_ROOT, /* from data or a stack */
    GC_REFD_FROM_REG,  /* from a register */
    GC_REFD_FROM_HEAP, /* from an object */
    GC_FINALIZER_REFD  /* by its finalizer */
} GC_ref_kind;

/* Where the reference to an object that the last collection followed lies: its object and offset,
 * or its address in a root. */
GC_API GC_ref_kind GC_get_back_ptr_info(void * /* obj */, void ** /* base */, size_t * /* offset */)
    GC_ATTR_NONNULL(1);

/* Any address in the heap; any that lies in a live object, by its start. */
GC_API void *GC_generate_random_heap_address(void);
GC_API void *GC_generate_random_valid_address(void);

/* Collects and prints the references that lead from a root to such an object; or to the one given.
 */
GC_API void GC_generate_random_backtrace(void);
GC_API void GC_print_backtrace(void *) GC_ATTR_NONNULL(1);

#ifdef __cplusplus
}
#endif

#endif
