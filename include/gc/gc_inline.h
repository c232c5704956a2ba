/* gc_inline.h: allocation in the program's own code, from free lists of its own.
 *
 * The program owns an array void *tiny_fl[GC_TINY_FREELISTS], zeroed at first, for each kind of
 * object and each thread, in memory where the collector finds pointers: objects on a list are
 * alive. The macros are statements that leave an object in result, a variable of type void *. Sizes
 * are in granules or words without a byte added at the end: a pointer past the end may be one to
 * the next object.
 */
#ifndef GC_INLINE_H
#define GC_INLINE_H

#include "gc.h"
#include "gc_tiny_fl.h"

#if GC_GNUC_PREREQ(3, 0)
#define GC_EXPECT(expr, outcome) __builtin_expect(expr, outcome)
#else
#define GC_EXPECT(expr, outcome) (expr)
#endif

#ifndef GC_ASSERT
#ifdef NDEBUG
#define GC_ASSERT(expr)
#else
#include <assert.h>
#define GC_ASSERT(expr) assert(expr)
#endif
#endif

#ifndef GC_PREFETCH_FOR_WRITE
#if GC_GNUC_PREREQ(3, 0) && !defined(GC_NO_PREFETCH_FOR_WRITE)
#define GC_PREFETCH_FOR_WRITE(x) __builtin_prefetch((x), 1)
#else
#define GC_PREFETCH_FOR_WRITE(x) (void)0
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The kinds of GC_malloc_atomic and GC_malloc. */
#define GC_I_PTRFREE 0
#define GC_I_NORMAL 1

/* Stores in *result a list of objects of this size, a multiple of GC_GRANULE_BYTES, and kind,
 * linked by GC_NEXT and apart from that zero if the kind is; at least one, or NULL. */
GC_API void GC_generic_malloc_many(size_t, int /* kind */, void ** /* result */);

/* Whether objects have no byte for addresses one past the end of what was asked for. (8.3) */
GC_API int GC_get_dont_add_byte_at_end(void);

/* One object of a kind, from the collector's lists of the thread; the second from those of all. */
GC_API void *GC_malloc_kind(size_t, int /* kind */) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
#ifdef GC_THREADS
GC_API void *GC_malloc_kind_global(size_t, int /* kind */) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
#else
#define GC_malloc_kind_global GC_malloc_kind
#endif

/* Stores a list's new head at once, for other threads to see the old or the new one. */
#ifdef AO_HAVE_store
#define GC_FAST_M_AO_STORE(my_fl, next) AO_store((volatile AO_t *)(my_fl), (AO_t)(next))
#else
#define GC_FAST_M_AO_STORE(my_fl, next) (void)(*(void *volatile *)(my_fl) = (next))
#endif

/* Takes an object off the list of its size. A list is the address of its first object, or NULL; or
 * as long as few objects of that size were wanted, a count from 1 up, advanced by the size, and up
 * to num_direct the object comes from default_expr instead. Larger sizes always do. init is
 * executed for objects off lists, whose first word is still a link: it must store there. Where
 * memory is wanting the result is that of GC_oom_fn, and NULL is not initialized. */
#define GC_FAST_MALLOC_GRANS(result, granules, tiny_fl, num_direct, kind, default_expr, init)      \
    do {                                                                                           \
        if (GC_EXPECT((granules) >= GC_TINY_FREELISTS, 0)) {                                       \
            result = (default_expr);                                                               \
            break;                                                                                 \
        }                                                                                          \
        {                                                                                          \
            void **const gc_list = (tiny_fl) + (granules);                                         \
            GC_word gc_head = (GC_word)*gc_list;                                                   \
                                                                                                   \
            if (GC_EXPECT(gc_head <= (num_direct) + (GC_word)GC_TINY_FREELISTS + 1, 0)) {          \
                if (gc_head != 0 && gc_head <= (GC_word)(num_direct)) {                            \
                    GC_FAST_M_AO_STORE(gc_list, (void *)(gc_head + (granules) + 1));               \
                    result = (default_expr);                                                       \
                    break;                                                                         \
                }                                                                                  \
                GC_generic_malloc_many((granules) == 0 ? GC_GRANULE_BYTES                          \
                                                       : GC_RAW_BYTES_FROM_INDEX(granules),        \
                                       kind, gc_list);                                             \
                gc_head = (GC_word)*gc_list;                                                       \
                if (GC_EXPECT(gc_head == 0, 0)) {                                                  \
                    result = (*GC_get_oom_fn())(                                                   \
                        (granules) == 0 ? GC_GRANULE_BYTES : GC_RAW_BYTES_FROM_INDEX(granules));   \
                    break;                                                                         \
                }                                                                                  \
            }                                                                                      \
            result = (void *)gc_head;                                                              \
            {                                                                                      \
                void *const gc_next = GC_NEXT(result);                                             \
                                                                                                   \
                GC_FAST_M_AO_STORE(gc_list, gc_next);                                              \
                init;                                                                              \
                GC_PREFETCH_FOR_WRITE(gc_next);                                                    \
                if ((kind) != GC_I_PTRFREE)                                                        \
                    GC_end_stubborn_change(gc_list);                                               \
            }                                                                                      \
            GC_ASSERT((kind) == GC_I_PTRFREE ||                                                    \
                      GC_size(result) >= GC_RAW_BYTES_FROM_INDEX((size_t)(granules)));             \
        }                                                                                          \
    } while (0)

/* Rounded up. */
#define GC_WORDS_TO_WHOLE_GRANULES(n) GC_WORDS_TO_GRANULES((n) + GC_GRANULE_WORDS - 1)

/* An object of n words. */
#define GC_MALLOC_WORDS_KIND(result, n, tiny_fl, kind, init)                                       \
    do {                                                                                           \
        const size_t gc_granules = GC_WORDS_TO_WHOLE_GRANULES(n);                                  \
                                                                                                   \
        GC_FAST_MALLOC_GRANS(result, gc_granules, tiny_fl, 0, kind,                                \
                             GC_malloc_kind(GC_RAW_BYTES_FROM_INDEX(gc_granules), kind), init);    \
    } while (0)

/* Zeroed and scanned; and atomic. */
#define GC_MALLOC_WORDS(result, n, tiny_fl)                                                        \
    GC_MALLOC_WORDS_KIND(result, n, tiny_fl, GC_I_NORMAL, GC_NEXT(result) = NULL)
#define GC_MALLOC_ATOMIC_WORDS(result, n, tiny_fl)                                                 \
    GC_MALLOC_WORDS_KIND(result, n, tiny_fl, GC_I_PTRFREE, (void)0)

/* A pair of pointers. */
#define GC_CONS(result, first, second, tiny_fl)                                                    \
    do {                                                                                           \
        void *const gc_first = (void *)(first);                                                    \
        void *const gc_second = (void *)(second);                                                  \
                                                                                                   \
        GC_MALLOC_WORDS_KIND(result, 2, tiny_fl, GC_I_NORMAL, GC_NEXT(result) = gc_first);         \
        if ((result) != NULL) {                                                                    \
            GC_NEXT(result) = gc_first;                                                            \
            GC_ptr_store_and_dirty((void **)(result) + 1, gc_second);                              \
        }                                                                                          \
    } while (0)

/* Prints the collector's list of objects of that kind and size in granules. */
GC_API void GC_print_free_list(int /* kind */, size_t /* granules */);

#ifdef __cplusplus
}
#endif

#endif
