/* What our library intends to do otherwise than Debian's, as far as these suites notice: they pass
 * on both, and each place where they expect something else names one of these.
 *
 * test/libgc_reference.sh runs the suites on Debian's library with LIBGC_REFERENCE set.
 * doc/libgc.md says why; doc/libgc-probes.md has the values.
 */
#ifndef TITHE_TEST_LIBGC_DIFFERENCES_H
#define TITHE_TEST_LIBGC_DIFFERENCES_H

#include <stdbool.h>
#include <stdlib.h>

enum difference {
    NO_PROTECTED_PAGES,      /* nothing is ever protected, so no fault handler is needed */
    ONE_STOP_SIGNAL,         /* SIGPWR and SIGXCPU are the program's */
    EVERY_THREAD_STOPS,      /* whether it is registered or not */
    INTERIOR_ADDRESSES,      /* keep objects whatever GC_set_all_interior_pointers said */
    EXCLUSIONS_CAN_BE_TAKEN, /* back; Debian's library then reads its own state and crashes */
    DELAYED_FREES_CHECKED,   /* GC_FINDLEAK_DELAY_FREE finds writes to what was freed */
    DISCLAIMED_IN_THE_STOP,  /* procedures are asked when marking is done, not when memory is reused
                              */
    NO_MARKS_BETWEEN,        /* collections, so GC_clear_mark_bit then does nothing */
    STAYS_LOADED,            /* GC_deinit does nothing */
    VISIBILITY_IS_CHECKED,   /* outside of the heap and in atomic objects, too */
    DAMAGED_ARE_DESCRIBED,   /* by the function of GC_register_describe_type_fn */
    PROGRAM_STAYS_A_ROOT,    /* with GC_no_dls; Debian's library then leaves out its data, too */
    CACHED_IS_NOT_ALLOCATED, /* what lies in a thread's cache counts as free, but under the preload
                              */
    STACKS_CAN_BE_CORRECTED, /* by 8.2.8's GC_set_sp_corrector */
    LATER_INTERFACE,         /* what came after 8.2.2 */
    MANY_LEAKS_ARE_TOLD,     /* Debian's library tells 40 */
    RESULTS_OF_ALL_THREADS, /* are kept until they are joined, not only those that GC_pthread_create
                               made and that return */
    LISTS_BEFORE_COLLECTIONS, /* who walks the loader's list may collect while others do; Debian's
                                 library waits for ever, one lock after the other */
    DEBUG_GCJ_WHOLE /* debugging objects of gcj are scanned whole, without its procedure */
};

static inline bool differs(enum difference difference) {
    (void)difference;
    return getenv("LIBGC_REFERENCE") == NULL;
}

#endif
