/* gc_heap.h: what is scanned, how large everything is, and dumps for people. Part of gc.h. */
#ifndef GC_HEAP_H
#define GC_HEAP_H

#include "gc_config_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Roots. The data segments of the program and its libraries are roots already. Ranges include the
 * first address and exclude the second. */

GC_API void GC_add_roots(void *, void *);

/* Forgets what lies wholly in the range. */
GC_API void GC_remove_roots(void *, void *);

/* Forgets all data roots, also those of libraries until they are next looked for. Before GC_INIT or
 * by programs that register all their roots. */
GC_API void GC_clear_roots(void);

/* Leaves the range out wherever it is part of a root; and takes all such ranges back. */
GC_API void GC_exclude_static_roots(void *, void *);
GC_API void GC_clear_exclusion_table(void);

/* Asked with a library's name, the start and the size of one of its data segments: 0 leaves the
 * segment out. Called with the lock held. NULL, the default, takes them all. */
typedef int(GC_CALLBACK *GC_has_static_roots_func)(const char *, void *, size_t);
GC_API void GC_register_has_static_roots_callback(GC_has_static_roots_func);

/* Addresses this many bytes into an object keep it even if GC_get_all_interior_pointers() is 0. */
GC_API void GC_register_displacement(size_t);

/* Statistics, in bytes. Each is right by itself; GC_get_heap_usage_safe and GC_get_prof_stats give
 * figures of one moment. */

GC_API size_t GC_get_heap_size(void);                 /* without what went back to the system */
GC_API size_t GC_get_free_bytes(void);                /* of these, in no object */
GC_API size_t GC_get_unmapped_bytes(void);            /* given back to the system */
GC_API size_t GC_get_obtained_from_os_bytes(void);    /* taken from the system, for all purposes */
GC_API size_t GC_get_bytes_since_gc(void);            /* allocated since the last collection */
GC_API size_t GC_get_expl_freed_bytes_since_gc(void); /* freed by the program since then */
GC_API size_t GC_get_total_bytes(void);               /* allocated ever */
GC_API size_t GC_get_memory_use(void);                /* in blocks that hold objects; slow */

/* The first five in one go. NULL for what is not wanted. */
GC_API void GC_get_heap_usage_safe(GC_word * /* heap_size */, GC_word * /* free_bytes */,
                                   GC_word * /* unmapped_bytes */, GC_word * /* bytes_since_gc */,
                                   GC_word * /* total_bytes */);

/* More than the above. */
struct GC_prof_stats_s {
    GC_word heapsize_full;             /* heap, with what went back to the system */
    GC_word free_bytes_full;           /* free, likewise */
    GC_word unmapped_bytes;            /* given back to the system */
    GC_word bytes_allocd_since_gc;     /* allocated since the last collection */
    GC_word allocd_bytes_before_gc;    /* and before it */
    GC_word non_gc_bytes;              /* in uncollectable objects */
    GC_word gc_no;                     /* as GC_get_gc_no */
    GC_word markers_m1;                /* as GC_get_parallel */
    GC_word bytes_reclaimed_since_gc;  /* found dead by the last collection, as far as swept */
    GC_word reclaimed_bytes_before_gc; /* and by those before it */
    GC_word expl_freed_bytes_since_gc; /* freed by the program since the last collection */
    GC_word obtained_from_os_bytes;    /* taken from the system */
};

/* Fills in the first bytes of *stats, whose size the caller knows, and returns how many; the second
 * without the lock, for when it is held or the program crashes. */
GC_API size_t GC_get_prof_stats(struct GC_prof_stats_s * /* stats */, size_t /* bytes */);
#ifdef GC_THREADS
GC_API size_t GC_get_prof_stats_unsafe(struct GC_prof_stats_s *, size_t);
#endif

/* The size of the object that serves a request of this many bytes, or (size_t)-1 if that is not one
 * of the small sizes. */
GC_API size_t GC_get_size_map_at(int i);

/* Collections begun so far. */
GC_API GC_word GC_get_gc_no(void);
GC_API GC_ATTR_DEPRECATED GC_word GC_gc_no;

/* Milliseconds spent in full collections, from the call of the first on. */
GC_API void GC_start_performance_measurement(void);
GC_API unsigned long GC_get_full_gc_total_time(void);

/* The nanoseconds of the above beyond its milliseconds; milliseconds in which the program was
 * stopped, and nanoseconds a collection on average, of all collections. (8.3) */
GC_API unsigned long GC_get_full_gc_total_ns_frac(void);
GC_API unsigned long GC_get_stopped_mark_total_time(void);
GC_API unsigned long GC_get_avg_stopped_mark_time_ns(void);

/* Called with memory that the heap has got from the system, and its size; with NULL where there is
 * none. The lock is held, but not in the latter case. (8.3) */
typedef void(GC_CALLBACK *GC_on_os_get_mem_proc)(void *, size_t);
GC_API void GC_set_on_os_get_mem(GC_on_os_get_mem_proc);
GC_API GC_on_os_get_mem_proc GC_get_on_os_get_mem(void);

/* Calls the function for each part of the heap with its start, its end, what it is, and the
 * program's data; and at last for the whole. The lock is held by the caller. (8.3) */
typedef enum {
    GC_HEAP_SECTION_TYPE_FREE,
    GC_HEAP_SECTION_TYPE_PADDING,
    GC_HEAP_SECTION_TYPE_USED,
    GC_HEAP_SECTION_TYPE_UNMAPPED,
    GC_HEAP_SECTION_TYPE_FORWARDING,
    GC_HEAP_SECTION_TYPE_WHOLE_SECT
} GC_heap_section_type;
typedef void(GC_CALLBACK *GC_heap_section_proc)(void *, void *, GC_heap_section_type, void *);
GC_API void GC_foreach_heap_section_inner(GC_heap_section_proc, void *) GC_ATTR_NONNULL(1);

/* Does nothing with the address, which is kept until then. (8.3) */
GC_API void GC_noop1_ptr(volatile void *);

/* The release of the interface the library provides: major, minor and micro number, a byte each
 * from bit 16 down; compare GC_VERSION_MAJOR.... */
GC_API unsigned GC_get_version(void);

/* Dumps to standard output, in no format to rely on: everything, the same under a title (or none),
 * the heap's regions, the finalizers and weak references. All with the lock held by the caller or
 * no other thread, but the second, which takes it. */
GC_API void GC_dump(void);
GC_API void GC_dump_named(const char *);
GC_API void GC_dump_regions(void);
GC_API void GC_dump_finalization(void);

#ifdef __cplusplus
}
#endif

#endif
