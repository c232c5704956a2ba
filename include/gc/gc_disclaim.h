/* gc_disclaim.h: a cheaper sort of finalizer, that runs while the sweep takes the object. It is
 * unordered and must neither allocate nor keep the object, nor trust what its pointers lead to. */
#ifndef GC_DISCLAIM_H
#define GC_DISCLAIM_H

#include "gc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called with the lock held for each dead object of a kind before its memory is reused; non-zero
 * keeps it for this time, but not what it leads to unless that is marked as well. */
typedef int(GC_CALLBACK *GC_disclaim_proc)(void *);

/* With mark_from_all, objects of the kind that are dead are scanned all the same, so
 * that what they lead to is there when the function runs. */
GC_API void GC_register_disclaim_proc(int /* kind */, GC_disclaim_proc, int /* mark_from_all */);

/* What GC_finalized_malloc runs: proc with the object and cd. */
struct GC_finalizer_closure {
    GC_finalization_proc proc;
    void *cd;
};

/* To be called once before the function below. */
GC_API void GC_init_finalized_malloc(void);

/* As GC_malloc, an object with a finalizer of this sort. The closure must live and stay unchanged
 * as long as the object. GC_base of the result is a word before it. */
GC_API void *GC_finalized_malloc(size_t, const struct GC_finalizer_closure *)
    GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1) GC_ATTR_NONNULL(2);

#ifdef __cplusplus
}
#endif

#endif
