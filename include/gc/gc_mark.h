/* gc_mark.h: for language runtimes that say themselves how their objects are marked: kinds of
 * objects, descriptors, mark procedures.
 *
 * Functions ending in _inner are for callers that hold the allocation lock. Kinds and procedures
 * are made once and never go away: there are at most 16 kinds and GC_MAX_MARK_PROCS procedures.
 */
#ifndef GC_MARK_H
#define GC_MARK_H

#include "gc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A mark stack's entry. Programs only pass on pointers to them. */
#if defined(GC_BUILD) || defined(NOT_GCBUILD)
struct GC_ms_entry;
#else
struct GC_ms_entry {
    void *opaque;
};
#endif

/* A mark procedure: looks at the object at addr and pushes what it leads to by GC_MARK_AND_PUSH, or
 * ranges of it by further entries; returns the new top of the stack. env is from the descriptor. It
 * runs in marking threads beside the program, which may be writing the object, and may be given an
 * object that was freed: its first word is a link to another such object or NULL, the rest zero. It
 * must not block, allocate or use the lock, should push no more than about GC_PROC_BYTES / 8
 * entries, and may mark an object in parts by pushing the object itself again with another env. */
typedef struct GC_ms_entry *(*GC_mark_proc)(GC_word * /* addr */, struct GC_ms_entry * /* top */,
                                            struct GC_ms_entry * /* limit */, GC_word /* env */);
#define GC_PROC_BYTES 100

#define GC_LOG_MAX_MARK_PROCS 6
#define GC_MAX_MARK_PROCS (1 << GC_LOG_MAX_MARK_PROCS)

/* Numbers of procedures below this are given by convention, that of Java's objects among them. */
#define GC_RESERVED_MARK_PROCS 8
#define GC_GCJ_RESERVED_MARK_PROC_INDEX 0

/* A descriptor says what in an object is a pointer; its low bits say how. */
#define GC_DS_TAG_BITS 2
#define GC_DS_TAGS ((1 << GC_DS_TAG_BITS) - 1)

/* The descriptor is a length in bytes, a multiple of a word: all of it may be pointers. */
#define GC_DS_LENGTH 0

/* The highest bit is the first word's, and so on for 62 words: set for a pointer. */
#define GC_DS_BITMAP 1

/* A mark procedure by its number, and its env in the bits above. */
#define GC_DS_PROC 2
#define GC_MAKE_PROC(proc_index, env)                                                              \
    ((((((GC_word)(env)) << GC_LOG_MAX_MARK_PROCS) | (proc_index)) << GC_DS_TAG_BITS) | GC_DS_PROC)

/* The true descriptor is elsewhere: n bytes into the object if it is n | GC_DS_PER_OBJECT; n bytes
 * into what the object's first word points to if it is GC_DS_PER_OBJECT - GC_INDIR_PER_OBJ_BIAS -
 * n. */
#define GC_DS_PER_OBJECT 3
#define GC_INDIR_PER_OBJ_BIAS 0x10

/* No address in the heap is lower or higher than these. Read by GC_MARK_AND_PUSH. */
GC_API void *GC_least_plausible_heap_addr;
GC_API void *GC_greatest_plausible_heap_addr;

/* In a mark procedure: if obj, found at src, leads into an object not marked yet, marks it and
 * pushes it. Returns the new top. The macro spares the call for what cannot be an address in the
 * heap. */
GC_API struct GC_ms_entry *GC_mark_and_push(void * /* obj */, struct GC_ms_entry * /* top */,
                                            struct GC_ms_entry * /* limit */, void ** /* src */);
#define GC_MARK_AND_PUSH(obj, msp, lim, src)                                                       \
    ((GC_word)(obj) < (GC_word)GC_least_plausible_heap_addr ||                                     \
             (GC_word)(obj) > (GC_word)GC_greatest_plausible_heap_addr                             \
         ? (msp)                                                                                   \
         : GC_mark_and_push(obj, msp, lim, src))

/* The size of the header before objects of gc_debugging.h; what their users hold points behind it.
 */
GC_API size_t GC_get_debug_header_size(void) GC_ATTR_CONST;
GC_API GC_ATTR_DEPRECATED size_t GC_debug_header_size;
#define GC_USR_PTR_FROM_BASE(p) ((void *)((char *)(p) + GC_get_debug_header_size()))

/* The free lists that a new kind needs; not to be looked into. */
GC_API void **GC_new_free_list(void);
GC_API void **GC_new_free_list_inner(void);

/* Makes a kind of object: its descriptor, to which each object's size is added if add_size, and
 * whether objects are zeroed; if not, the descriptor must cope with what was there before. Returns
 * its number. */
GC_API unsigned GC_new_kind(void ** /* free_list */, GC_word /* descriptor */, int /* add_size */,
                            int /* clear */) GC_ATTR_NONNULL(1);
GC_API unsigned GC_new_kind_inner(void **, GC_word, int, int) GC_ATTR_NONNULL(1);

/* Gives a mark procedure a number. */
GC_API unsigned GC_new_proc(GC_mark_proc);
GC_API unsigned GC_new_proc_inner(GC_mark_proc);

/* An object of this kind, as by GC_malloc and its relatives. The _or_special_ ones also take the
 * built-in uncollectable kinds. */
GC_API void *GC_generic_malloc(size_t, int /* kind */) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_generic_malloc_ignore_off_page(size_t, int) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_generic_malloc_uncollectable(size_t, int) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_generic_or_special_malloc(size_t, int) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_debug_generic_or_special_malloc(size_t, int, GC_EXTRA_PARAMS)
    GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
#ifdef GC_DEBUG
#define GC_GENERIC_OR_SPECIAL_MALLOC(sz, knd) GC_debug_generic_or_special_malloc(sz, knd, GC_EXTRAS)
#else
#define GC_GENERIC_OR_SPECIAL_MALLOC(sz, knd) GC_generic_or_special_malloc(sz, knd)
#endif

/* An object's kind and, unless psize is NULL, size, given its start. */
GC_API int GC_get_kind_and_size(const void *, size_t * /* psize */) GC_ATTR_NONNULL(1);

/* Writes a name for the object into a buffer of this length, for dumps; one such function a kind.
 */
typedef void(GC_CALLBACK *GC_describe_type_fn)(void *, char *);
#define GC_TYPE_DESCR_LEN 40
GC_API void GC_register_describe_type_fn(int /* kind */, GC_describe_type_fn);

/* Returns its argument, having overwritten some of the unused stack below its frame, lest old
 * values there be found. */
GC_API void *GC_clear_stack(void *);

/* Called at the start of each collection with the lock held. NULL for none. */
typedef void(GC_CALLBACK *GC_start_callback_proc)(void);
GC_API void GC_set_start_callback(GC_start_callback_proc);
GC_API GC_start_callback_proc GC_get_start_callback(void);

/* Marks of objects, given by their starts; in collections only. */
GC_API int GC_is_marked(const void *) GC_ATTR_NONNULL(1);
GC_API void GC_clear_mark_bit(const void *) GC_ATTR_NONNULL(1);
GC_API void GC_set_mark_bit(const void *) GC_ATTR_NONNULL(1);

/* For the function below: what lies from the first address to before the second may be pointers.
 * The first takes addresses as the heap's own words are taken and may put the work off; the second
 * scans at once, as stacks are; the third leaves out what was not written since it was last scanned
 * unless all is set. */
GC_API void GC_push_all(void *, void *);
GC_API void GC_push_all_eager(void *, void *);
GC_API void GC_push_conditional(void *, void *, int /* all */);

/* Pushes what finalizers keep alive. */
GC_API void GC_push_finalizer_structures(void);

/* Called while roots are scanned, with the world stopped, to push more of them. Who sets one must
 * call the previous one, which pushes the threads' stacks. */
typedef void(GC_CALLBACK *GC_push_other_roots_proc)(void);
GC_API void GC_set_push_other_roots(GC_push_other_roots_proc);
GC_API GC_push_other_roots_proc GC_get_push_other_roots(void);

/* In such a function: pushes what the object leads to, read as the descriptor says. (8.3) */
GC_API void GC_push_obj_descr(void *, GC_word /* descr */);

/* Called when all that is known is marked, with the mark stack's top and limit, as often as it
 * marks something more: it may push what is alive only because other objects are, as the values of
 * ephemerons whose keys are marked (GC_is_marked), and returns the new top. With the world stopped.
 * NULL, the default, for none. The two after it push a range, and what an object leads to. (8.3) */
typedef struct GC_ms_entry *(GC_CALLBACK *GC_on_mark_stack_empty_proc)(
    struct GC_ms_entry * /* top */, struct GC_ms_entry * /* limit */);
GC_API void GC_set_on_mark_stack_empty(GC_on_mark_stack_empty_proc);
GC_API GC_on_mark_stack_empty_proc GC_get_on_mark_stack_empty(void);
GC_API struct GC_ms_entry *GC_ms_push_all(void *, void *, struct GC_ms_entry * /* top */,
                                          struct GC_ms_entry * /* limit */);
GC_API struct GC_ms_entry *GC_ms_push_obj_descr(void *, GC_word /* descr */,
                                                struct GC_ms_entry * /* top */,
                                                struct GC_ms_entry * /* limit */);

/* For programs whose words are not plain addresses: a word also keeps what lies at the address that
 * it becomes when it is masked and then shifted to the left. Before the first allocation. (8.3) */
GC_API void GC_set_pointer_mask(GC_word);
GC_API GC_word GC_get_pointer_mask(void);
GC_API void GC_set_pointer_shift(unsigned);
GC_API unsigned GC_get_pointer_shift(void);

/* As GC_init_gcj_malloc, with where in the table the descriptor is. (8.3) */
GC_API void GC_init_gcj_malloc_mp(unsigned /* mp_index */, GC_mark_proc, size_t /* offset */);
#define GC_GCJ_MARK_DESCR_OFFSET sizeof(void *)

/* Calls the function with start, size and the program's data for each object marked by the last
 * collection. The lock is held by the caller; the function must not allocate. */
typedef void(GC_CALLBACK *GC_reachable_object_proc)(void *, size_t, void *);
GC_API void GC_enumerate_reachable_objects_inner(GC_reachable_object_proc, void *)
    GC_ATTR_NONNULL(1);

/* Whether the address is in a root found by looking at libraries, rather than registered. */
GC_API int GC_is_tmp_root(void *);

/* Declared as in bdwgc, in no library: they print traces that only special builds keep. */
GC_API void GC_print_trace(GC_word);
GC_API void GC_print_trace_inner(GC_word);

#ifdef __cplusplus
}
#endif

#endif
