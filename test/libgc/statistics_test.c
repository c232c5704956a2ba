/* Figures and dumps: they follow what the program does. */
#include "herd.h"
#include "suite.h"

#include "captured.h"
#include "differences.h"

#include "gc/gc_mark.h"

#include <pthread.h>

static void *volatile kept[100];

/* So many objects of a hundred thousand bytes. */
static void keep(int count) {
    for (int i = 0; i < count; i++)
        kept[i] = GC_malloc_atomic(100000);
}

static void drop(void) {
    for (int i = 0; i < 100; i++)
        kept[i] = NULL;
    collect();
}

START_TEST(the_heap_is_measured) {
    GC_INIT();
    size_t before = GC_get_heap_size(), used = GC_get_memory_use();
    keep(100);
    ck_assert_uint_ge(GC_get_heap_size(), before + 5000000);
    ck_assert_uint_ge(GC_get_memory_use(), used + 9000000);
    ck_assert_uint_ge(GC_get_obtained_from_os_bytes(), GC_get_heap_size());
    size_t free_before = GC_get_free_bytes() + GC_get_unmapped_bytes();
    drop();
    ck_assert_uint_ge(GC_get_free_bytes() + GC_get_unmapped_bytes(), free_before + 5000000);
    ck_assert_uint_lt(GC_get_memory_use(), used + 5000000);
}
END_TEST

START_TEST(allocating_and_freeing_are_counted) {
    GC_INIT();
    GC_gcollect();
    ck_assert_uint_lt(GC_get_bytes_since_gc(), 100000);
    GC_disable();
    size_t total = GC_get_total_bytes();
    keep(50);
    ck_assert_uint_ge(GC_get_bytes_since_gc(), 5000000);
    ck_assert_uint_ge(GC_get_total_bytes(), total + 5000000);
    size_t freed = GC_get_expl_freed_bytes_since_gc();
    for (int i = 0; i < 10; i++)
        GC_free(kept[i]);
    ck_assert_uint_ge(GC_get_expl_freed_bytes_since_gc(), freed + 1000000);
    GC_enable();
    GC_gcollect();
    ck_assert_uint_lt(GC_get_bytes_since_gc(), 100000);
    ck_assert_uint_eq(GC_get_expl_freed_bytes_since_gc(), 0);
    ck_assert_uint_ge(GC_get_total_bytes(), total + 5000000);
}
END_TEST

START_TEST(figures_of_one_moment_agree) {
    GC_word heap, free_bytes, unmapped, since, total;
    GC_INIT();
    keep(30);
    GC_get_heap_usage_safe(&heap, &free_bytes, &unmapped, &since, &total);
    ck_assert_uint_eq(heap, GC_get_heap_size());
    ck_assert_uint_eq(free_bytes, GC_get_free_bytes());
    ck_assert_uint_eq(unmapped, GC_get_unmapped_bytes());
    ck_assert_uint_eq(since, GC_get_bytes_since_gc());
    ck_assert_uint_eq(total, GC_get_total_bytes());
    heap = 0;
    GC_get_heap_usage_safe(NULL, NULL, NULL, NULL, NULL);
    GC_get_heap_usage_safe(&heap, NULL, NULL, NULL, NULL);
    ck_assert_uint_eq(heap, GC_get_heap_size());
}
END_TEST

typedef size_t profile(struct GC_prof_stats_s *figures, size_t bytes);

static void check_profile(profile *get) {
    struct GC_prof_stats_s all[2], figures;
    memset(&figures, 0x11, sizeof figures);
    ck_assert_uint_eq(get(&figures, 16), 16);
    ck_assert_uint_eq(figures.heapsize_full, GC_get_heap_size() + GC_get_unmapped_bytes());
    ck_assert_uint_eq(figures.unmapped_bytes, 0x1111111111111111);
    ck_assert_uint_eq(get(&figures, sizeof figures), sizeof figures);
    ck_assert_uint_eq(figures.free_bytes_full, GC_get_free_bytes() + GC_get_unmapped_bytes());
    ck_assert_uint_eq(figures.unmapped_bytes, GC_get_unmapped_bytes());
    ck_assert_uint_eq(figures.bytes_allocd_since_gc, GC_get_bytes_since_gc());
    ck_assert_uint_eq(figures.expl_freed_bytes_since_gc, GC_get_expl_freed_bytes_since_gc());
    ck_assert_uint_eq(figures.non_gc_bytes, GC_get_non_gc_bytes());
    ck_assert_uint_eq(figures.gc_no, GC_get_gc_no());
    ck_assert_uint_eq(figures.markers_m1, (GC_word)GC_get_parallel());
    ck_assert_uint_eq(figures.obtained_from_os_bytes, GC_get_obtained_from_os_bytes());
    ck_assert_uint_eq(get(all, sizeof all), sizeof figures);
    ck_assert_uint_eq(all[1].heapsize_full, ~(GC_word)0);
    ck_assert_uint_eq(all[1].obtained_from_os_bytes, ~(GC_word)0);
}

START_TEST(profiles_have_all_figures) {
    profile *const ways[] = {GC_get_prof_stats, GC_get_prof_stats_unsafe};
    GC_INIT();
    GC_set_non_gc_bytes(4096);
    keep(30);
    GC_gcollect();
    keep(10);
    check_profile(ways[_i]);
}
END_TEST

START_TEST(what_was_reclaimed_is_counted) {
    struct GC_prof_stats_s before, after;
    GC_INIT();
    keep(100);
    GC_gcollect();
    GC_get_prof_stats(&before, sizeof before);
    for (int i = 0; i < 100; i++)
        kept[i] = NULL;
    clear_stack();
    GC_gcollect();
    GC_gcollect();
    GC_get_prof_stats(&after, sizeof after);
    GC_word sum = after.bytes_reclaimed_since_gc + after.reclaimed_bytes_before_gc;
    ck_assert_uint_ge(sum, before.reclaimed_bytes_before_gc + 5000000);
}
END_TEST

START_TEST(collections_are_counted_and_timed) {
    GC_INIT();
    GC_word before = GC_get_gc_no();
    GC_gcollect();
    ck_assert_uint_eq(GC_get_gc_no(), before + 1);
    ck_assert_uint_eq(GC_gc_no, before + 1);
    ck_assert_uint_eq(GC_get_full_gc_total_time(), 0);
    GC_start_performance_measurement();
    for (int i = 0; i < 100000; i++) {
        void **object = GC_malloc(64);
        object[0] = kept[0];
        kept[0] = object;
    }
    for (int i = 0; i < 50 || (GC_get_full_gc_total_time() == 0 && i < 5000); i++)
        GC_gcollect();
    ck_assert_uint_gt(GC_get_full_gc_total_time(), 0);
    ck_assert_uint_lt(GC_get_full_gc_total_time(), 60000);
}
END_TEST

static void dump(void) { GC_dump(); }
static void dump_named(void) { GC_dump_named("in the middle"); }
static void dump_regions(void) { GC_dump_regions(); }

START_TEST(the_heap_is_dumped) {
    GC_INIT();
    keep(10);
    ck_assert_uint_gt(strlen(captured(STDOUT_FILENO, dump)), 50);
    const char *text = captured(STDOUT_FILENO, dump_named);
    ck_assert_ptr_nonnull(strstr(text, "in the middle"));
    text = captured(STDOUT_FILENO, dump_regions);
    ck_assert_ptr_nonnull(strstr(text, "0x"));
}
END_TEST

/* What goes in and out of a thread's cache is counted at once. */
START_TEST(each_byte_is_counted) {
    static const size_t sizes[] = {16, 40, 500, 4000, 40000};
    void *objects[50];
    GC_INIT();
    GC_disable();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int count = 0; count < 50; count++) {
            size_t since = GC_get_bytes_since_gc(), total = GC_get_total_bytes();
            objects[count] = GC_malloc(sizes[i]);
            size_t bytes = GC_size(objects[count]);
            if (differs(CACHED_IS_NOT_ALLOCATED) && !getenv("LD_PRELOAD")) {
                ck_assert_uint_eq(GC_get_bytes_since_gc() - since, bytes);
                ck_assert_uint_eq(GC_get_total_bytes() - total, bytes);
            }
        }
    for (int count = 0; count < 50; count++) {
        size_t bytes = GC_size(objects[count]), freed = GC_get_expl_freed_bytes_since_gc();
        GC_free(objects[count]);
        ck_assert_uint_eq(GC_get_expl_freed_bytes_since_gc() - freed, bytes);
    }
}
END_TEST

static void *free_a_hundred(void *bytes) {
    for (int i = 0; i < 100; i++) {
        void *object = GC_malloc(40);
        *(size_t *)bytes += GC_size(object);
        GC_free(object);
    }
    return NULL;
}

START_TEST(what_ended_threads_freed_is_counted) {
    pthread_t thread;
    size_t bytes = 0;
    GC_INIT();
    GC_disable();
    size_t freed = GC_get_expl_freed_bytes_since_gc();
    for (int i = 0; i < 3; i++) {
        GC_pthread_create(&thread, NULL, free_a_hundred, &bytes);
        GC_pthread_join(thread, NULL);
    }
    freed = GC_get_expl_freed_bytes_since_gc() - freed;
    ck_assert_uint_ge(freed, bytes);
    if (differs(CACHED_IS_NOT_ALLOCATED))
        ck_assert_uint_eq(freed, bytes);
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        the_heap_is_measured,
        allocating_and_freeing_are_counted,
        figures_of_one_moment_agree,
        what_was_reclaimed_is_counted,
        collections_are_counted_and_timed,
        the_heap_is_dumped,
        each_byte_is_counted,
        what_ended_threads_freed_is_counted,
    };
    const struct looped loops[] = {{profiles_have_all_figures, 2}};
    return SUITE_RUN_LOOPS("libgc, statistics", once, loops, 60);
}
