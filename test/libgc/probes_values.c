/* Probes of what can be read off: defaults, settings, sizes, addresses, checks. */
#include "probes.h"

#include "gc/gc_gcj.h"
#include "gc/gc_inline.h"
#include "gc/gc_mark.h"

#include <errno.h>
#include <stdio.h>

void probe_defaults(void) {
    say_number("GC_is_init_called before GC_init", GC_is_init_called());
    say_number("GC_get_suspend_signal before GC_init", GC_get_suspend_signal());
    say_number("GC_get_thr_restart_signal before GC_init", GC_get_thr_restart_signal());
    GC_INIT();
    say_number("GC_is_init_called after GC_init", GC_is_init_called());
    say("GC_get_version", "%#x", GC_get_version());
    say_number("GC_get_gc_no after GC_init", GC_get_gc_no());
    say_number("GC_get_suspend_signal", GC_get_suspend_signal());
    say_number("GC_get_thr_restart_signal", GC_get_thr_restart_signal());
    say_number("GC_get_all_interior_pointers", GC_get_all_interior_pointers());
    say_number("GC_get_java_finalization", GC_get_java_finalization());
    say_number("GC_get_finalize_on_demand", GC_get_finalize_on_demand());
    say_flag("GC_get_finalizer_notifier is set", GC_get_finalizer_notifier() != NULL);
    say_number("GC_get_dont_expand", GC_get_dont_expand());
    say_number("GC_get_dont_precollect", GC_get_dont_precollect());
    say_number("GC_get_full_freq", GC_get_full_freq());
    say_number("GC_get_non_gc_bytes", GC_get_non_gc_bytes());
    say_number("GC_get_no_dls", GC_get_no_dls());
    say_number("GC_get_free_space_divisor", GC_get_free_space_divisor());
    say_number("GC_get_max_retries", GC_get_max_retries());
    say_number("GC_get_time_limit", GC_get_time_limit());
    say_number("GC_get_time_limit_tv.tv_ms", GC_get_time_limit_tv().tv_ms);
    say_number("GC_get_time_limit_tv.tv_nsec", GC_get_time_limit_tv().tv_nsec);
    say_number("GC_get_rate", GC_get_rate());
    say_number("GC_get_max_prior_attempts", GC_get_max_prior_attempts());
    say_number("GC_get_min_bytes_allocd", GC_get_min_bytes_allocd());
    say_number("GC_get_allocd_bytes_per_finalizer", GC_get_allocd_bytes_per_finalizer());
    say_number("GC_get_disable_automatic_collection", GC_get_disable_automatic_collection());
    say_number("GC_get_force_unmap_on_gcollect", GC_get_force_unmap_on_gcollect());
    say_number("GC_get_pages_executable", GC_get_pages_executable());
    say_number("GC_get_find_leak", GC_get_find_leak());
    say_number("GC_get_manual_vdb_allowed", GC_get_manual_vdb_allowed());
    say_number("GC_is_incremental_mode", GC_is_incremental_mode());
    say_number("GC_is_disabled", GC_is_disabled());
    say_number("GC_get_parallel before a thread", GC_get_parallel());
    say_number("GC_get_heap_size", GC_get_heap_size());
    say_number("GC_get_debug_header_size", GC_get_debug_header_size());
    say_number("GC_gcj_kind before GC_init_gcj_malloc", GC_gcj_kind);
    say_flag("GC_get_oom_fn is set", GC_get_oom_fn() != NULL);
    say_flag("GC_get_warn_proc is set", GC_get_warn_proc() != NULL);
    say_flag("GC_get_abort_func is set", GC_get_abort_func() != NULL);
    say_flag("GC_get_stop_func is set", GC_get_stop_func() != NULL);
    say_number("GC_get_stop_func()()", GC_get_stop_func()());
    say_flag("GC_get_push_other_roots is set", GC_get_push_other_roots() != NULL);
    say_flag("GC_get_start_callback is set", GC_get_start_callback() != NULL);
    say_flag("GC_get_on_collection_event is set", GC_get_on_collection_event() != NULL);
    say_flag("GC_get_on_thread_event is set", GC_get_on_thread_event() != NULL);
    say_flag("GC_get_on_heap_resize is set", GC_get_on_heap_resize() != NULL);
    say_flag("GC_get_toggleref_func is set", GC_get_toggleref_func() != NULL);
    say_flag("GC_get_await_finalize_proc is set", GC_get_await_finalize_proc() != NULL);
}

void probe_settings(void) {
    GC_INIT();
    GC_set_time_limit(25);
    say_number("tv_ms after GC_set_time_limit(25)", GC_get_time_limit_tv().tv_ms);
    GC_set_time_limit_tv((struct GC_timeval_s){7, 500});
    say_number("GC_get_time_limit after GC_set_time_limit_tv({7, 500})", GC_get_time_limit());
    say_number("tv_nsec after GC_set_time_limit_tv({7, 500})", GC_get_time_limit_tv().tv_nsec);
    GC_set_time_limit(30);
    say_number("tv_nsec after GC_set_time_limit again", GC_get_time_limit_tv().tv_nsec);
    GC_set_rate(0x40);
    say_number("GC_get_rate after GC_set_rate(64)", GC_get_rate());
    GC_disable();
    GC_disable();
    GC_enable();
    say_number("GC_is_disabled after two GC_disable and one GC_enable", GC_is_disabled());
    say_number("GC_dont_gc then", GC_dont_gc);
    GC_enable();
    say_number("GC_is_disabled after both", GC_is_disabled());
    GC_enable_incremental();
    say_number("GC_is_incremental_mode after GC_enable_incremental", GC_is_incremental_mode());
    say_number("GC_incremental_protection_needs in incremental mode",
               GC_incremental_protection_needs());
    GC_deinit();
    say_number("GC_is_init_called after GC_deinit", GC_is_init_called());
}

static void say_size(const char *name, void *object) { say(name, "%zu", GC_size(object)); }

void probe_sizes(void) {
    static const size_t sizes[] = {0, 1, 15, 16, 17, 31, 32, 48, 100, 512, 1025, 2047, 5000};
    GC_INIT();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[64];
        snprintf(name, sizeof name, "GC_size(GC_malloc(%zu))", sizes[i]);
        say_size(name, GC_malloc(sizes[i]));
    }
    say_size("GC_size(GC_malloc_atomic(40))", GC_malloc_atomic(40));
    say_size("GC_size(GC_malloc_uncollectable(40))", GC_malloc_uncollectable(40));
    say_number("GC_get_size_map_at(1)", GC_get_size_map_at(1));
    say_number("GC_get_size_map_at(16)", GC_get_size_map_at(16));
    say_number("GC_get_size_map_at(128)", GC_get_size_map_at(128));
    say_number("GC_get_size_map_at(100000)", GC_get_size_map_at(100000));
    say_number("GC_get_size_map_at(-1)", GC_get_size_map_at(-1));
    int count = 0;
    for (void *chain = GC_malloc_many(40); chain; chain = GC_NEXT(chain))
        count++;
    say_flag("GC_malloc_many(40) gives more than one", count > 1);
    void *chain;
    GC_generic_malloc_many(48, 0, &chain);
    say_flag("GC_generic_malloc_many(48, 0) gives more than one", GC_NEXT(chain) != NULL);
    count = 0;
    for (GC_generic_malloc_many(10000, 1, &chain); chain; chain = GC_NEXT(chain))
        count++;
    say_number("objects of GC_generic_malloc_many(10000, 1)", count);
    say_number("GC_memalign(4096, 10) modulo 4096", (uintptr_t)GC_memalign(4096, 10) % 4096);
    void *place = &chain;
    say_number("GC_posix_memalign with alignment 24", GC_posix_memalign(&place, 24, 10));
    say_number("GC_posix_memalign with alignment 2", GC_posix_memalign(&place, 2, 10));
    say_flag("place untouched then", place == &chain);
    say_number("GC_posix_memalign with alignment 64", GC_posix_memalign(&place, 64, 10));
    say_flag("GC_malloc(SIZE_MAX) is NULL", GC_malloc(SIZE_MAX) == NULL);
    say_flag("GC_malloc(SIZE_MAX / 2) is NULL", GC_malloc(SIZE_MAX / 2) == NULL);
    say_flag("GC_malloc_atomic(SIZE_MAX - 8) is NULL", GC_malloc_atomic(SIZE_MAX - 8) == NULL);
}

void probe_objects(void) {
    GC_INIT();
    char *object = GC_malloc(100), *atomic = GC_malloc_atomic(100), on_stack;
    static char in_data;
    say_flag("GC_base of an interior pointer", GC_base(object + 50) == object);
    say_flag("GC_base of a stack address is NULL", GC_base(&on_stack) == NULL);
    say_flag("GC_base of NULL is NULL", GC_base(NULL) == NULL);
    say_number("GC_is_heap_ptr of an object", GC_is_heap_ptr(object));
    say_number("GC_is_heap_ptr of its inside", GC_is_heap_ptr(object + 50));
    say_number("GC_is_heap_ptr of a stack address", GC_is_heap_ptr(&on_stack));
    say_number("GC_is_heap_ptr of static data", GC_is_heap_ptr(&in_data));
    say_number("kind of GC_malloc", GC_get_kind_and_size(object, NULL));
    say_number("kind of GC_malloc_atomic", GC_get_kind_and_size(atomic, NULL));
    say_number("kind of GC_malloc_uncollectable",
               GC_get_kind_and_size(GC_malloc_uncollectable(10), NULL));
    say_number("kind of GC_malloc_atomic_uncollectable",
               GC_get_kind_and_size(GC_malloc_atomic_uncollectable(10), NULL));
    say_flag("GC_realloc(p, 0) is NULL", GC_realloc(GC_malloc(10), 0) == NULL);
    say_flag("GC_realloc(NULL, 10) is an object", GC_base(GC_realloc(NULL, 10)) != NULL);
    memset(atomic, 'x', 100);
    char *longer = GC_realloc(atomic, 5000);
    say_flag("GC_realloc keeps contents", longer[0] == 'x' && longer[99] == 'x');
    say_number("kind after GC_realloc of an atomic object", GC_get_kind_and_size(longer, NULL));
    memset(object, 'x', 100);
    longer = GC_realloc(object, 20000);
    say_flag("GC_realloc clears what is new", longer[5000] == 0 && longer[19999] == 0);
    char *same = GC_malloc(100);
    say_flag("GC_realloc to a little less stays", GC_realloc(same, 90) == same);
    say_flag("GC_strdup of NULL is NULL", GC_strdup(NULL) == NULL);
    say("GC_strdup", "%s", GC_strdup("text"));
    say("GC_strndup of 2", "%s", GC_strndup("text", 2));
    say_number("kind of GC_strdup", GC_get_kind_and_size(GC_strdup("text"), NULL));
    GC_free(NULL);
    say_flag("GC_free(NULL) returns", true);
    void *cleared = GC_clear_stack(&in_data);
    say_flag("GC_clear_stack returns its argument", cleared == &in_data);
    void *slot = NULL;
    GC_ptr_store_and_dirty(&slot, object);
    say_flag("GC_ptr_store_and_dirty stores", slot == object);
}

static int complaints;

static void complain(void *address) {
    (void)address;
    complaints++;
}

static void complain_of_two(void *one, void *other) {
    (void)one, (void)other;
    complaints++;
}

static int complaints_of(void *result, const void *expected) {
    int count = complaints;
    complaints = 0;
    return result == expected ? count : -1;
}

void probe_checks(void) {
    static void *visible;
    GC_INIT();
    GC_same_obj_print_proc = complain_of_two;
    GC_is_visible_print_proc = complain;
    GC_is_valid_displacement_print_proc = complain;
    char *object = GC_malloc(64), *other = GC_malloc(200), *atomic = GC_malloc_atomic(16);
    void *on_stack = object, *on_heap = malloc(16);
    say_number("GC_same_obj inside", complaints_of(GC_same_obj(object + 8, object), object + 8));
    say_number("GC_same_obj of two objects", complaints_of(GC_same_obj(object, other), object));
    say_number("GC_same_obj of two outside",
               complaints_of(GC_same_obj(&on_stack, &visible), &on_stack));
    say_number("GC_same_obj of one outside", complaints_of(GC_same_obj(object, &visible), object));
    say_number("GC_is_visible of static data", complaints_of(GC_is_visible(&visible), &visible));
    say_number("GC_is_visible of the stack", complaints_of(GC_is_visible(&on_stack), &on_stack));
    say_number("GC_is_visible of an object", complaints_of(GC_is_visible(object), object));
    say_number("GC_is_visible of a word in an atomic object",
               complaints_of(GC_is_visible(atomic + 8), atomic + 8));
    say_number("GC_is_visible of malloc's memory", complaints_of(GC_is_visible(on_heap), on_heap));
    say_number("GC_is_valid_displacement of a start",
               complaints_of(GC_is_valid_displacement(object), object));
    say_number("GC_is_valid_displacement inside",
               complaints_of(GC_is_valid_displacement(object + 8), object + 8));
    say_number("GC_is_valid_displacement outside",
               complaints_of(GC_is_valid_displacement(&visible), &visible));
    void *moving = object;
    say_flag("GC_pre_incr gives the new value", GC_pre_incr(&moving, 8) == object + 8);
    say_flag("GC_post_incr gives the old value", GC_post_incr(&moving, 8) == object + 8);
    say_number("moved by both", (char *)moving - object);
    complaints = 0;
    GC_pre_incr(&moving, 1000);
    say_number("complaints of GC_pre_incr out of the object", complaints);
}
