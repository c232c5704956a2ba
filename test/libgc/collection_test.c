/* Collections: on request, by themselves, forbidden, stopped, limited; who is told of them. */
#include "herd.h"
#include "suite.h"

#include "captured.h"
#include "differences.h"

#include "gc/gc_mark.h"

#include <sys/resource.h>
#include <sys/wait.h>

static struct herd herd;

__attribute__((noinline)) static void lose_herd(void) {
    for (int i = 0; i < HERD; i++)
        watch(&herd, i, GC_malloc(100));
}

static int left_of_herd(void (*act)(void)) {
    lose_herd();
    clear_stack();
    act();
    clear_stack();
    return living(&herd);
}

START_TEST(starting_makes_a_collector) {
    ck_assert(!GC_is_init_called());
    ck_assert_ptr_nonnull(GC_malloc(10));
    ck_assert(GC_is_init_called());
    GC_init();
    GC_init();
    ck_assert(GC_is_init_called());
    ck_assert_uint_eq(GC_get_gc_no(), 1);
    GC_deinit();
    ck_assert_int_eq(GC_is_init_called(), differs(STAYS_LOADED));
}
END_TEST

static int never_stop(void) { return 0; }
static void try_to_collect(void) { ck_assert_int_eq(GC_try_to_collect(never_stop), 1); }

static void collect_by_little(void) {
    GC_start_incremental_collection();
    for (int i = 0; GC_collect_a_little(); i++)
        ck_assert_int_lt(i, 1000000);
    GC_gcollect();
}

START_TEST(what_is_lost_is_collected) {
    void (*const ways[])(void) = {GC_gcollect, GC_gcollect_and_unmap, try_to_collect,
                                  collect_by_little};
    GC_INIT();
    for (int i = 0; i < 4; i++) {
        GC_word before = GC_get_gc_no();
        ck_assert_int_lt(left_of_herd(ways[i]), FEW);
        ck_assert_uint_gt(GC_get_gc_no(), before);
    }
}
END_TEST

START_TEST(a_little_is_all_in_the_end) {
    GC_INIT();
    GC_enable_incremental();
    GC_word before = GC_get_gc_no();
    for (int i = 0; i < 20000; i++)
        GC_reachable_here(GC_malloc(1000));
    GC_start_incremental_collection();
    int steps = 0;
    while (GC_collect_a_little())
        ck_assert_int_lt(steps++, 1000000);
    ck_assert_uint_gt(GC_get_gc_no(), before);
}
END_TEST

static void forbid(void) { GC_disable(); }
static void forbid_by_variable(void) { GC_dont_gc = 1; }
static void allow(void) { GC_enable(); }
static void allow_by_variable(void) { GC_dont_gc = 0; }
static void forbid_automatic(void) { GC_set_disable_automatic_collection(1); }
static void allow_automatic(void) { GC_set_disable_automatic_collection(0); }

/* Whether a collection starts by itself before so many bytes were allocated. */
static bool collects_within(size_t megabytes) {
    GC_word before = GC_get_gc_no();
    for (size_t i = 0; i < megabytes * 1000 && GC_get_gc_no() == before; i++)
        GC_reachable_here(GC_malloc(1000));
    return GC_get_gc_no() != before;
}

START_TEST(collections_are_forbidden_and_allowed) {
    void (*const pairs[][2])(void) = {{forbid, allow},
                                      {forbid_by_variable, allow_by_variable},
                                      {forbid_automatic, allow_automatic}};
    GC_INIT();
    for (int i = 0; i < 3; i++) {
        ck_assert(collects_within(500));
        pairs[i][0]();
        ck_assert(!collects_within(30));
        if (i < 2)
            ck_assert(GC_is_disabled() && left_of_herd(GC_gcollect) == HERD);
        else
            ck_assert(GC_get_disable_automatic_collection() && left_of_herd(GC_gcollect) < FEW);
        pairs[i][1]();
        ck_assert(!GC_is_disabled() && !GC_get_disable_automatic_collection());
        ck_assert_int_lt(left_of_herd(GC_gcollect), FEW);
    }
}
END_TEST

START_TEST(forbidding_nests) {
    GC_INIT();
    GC_disable();
    GC_disable();
    GC_enable();
    ck_assert(GC_is_disabled());
    GC_enable();
    ck_assert(!GC_is_disabled());
}
END_TEST

static int stops, patience;
static int stop_after_patience(void) { return ++stops > patience; }

START_TEST(a_stop_function_ends_a_collection) {
    GC_INIT();
    lose_herd();
    ck_assert_int_eq(GC_try_to_collect(stop_after_patience), 0);
    ck_assert_int_gt(stops, 0);
    ck_assert_int_gt(living(&herd), MOST);
    GC_stop_func before = GC_get_stop_func();
    ck_assert_int_eq(before(), 0);
    GC_set_stop_func(stop_after_patience);
    ck_assert(GC_get_stop_func() == stop_after_patience);
    GC_gcollect();
    ck_assert_int_gt(living(&herd), MOST);
    GC_set_stop_func(before);
    ck_assert_int_lt(left_of_herd(GC_gcollect), FEW);
}
END_TEST

START_TEST(a_stop_function_is_asked_before_collections_that_start_by_themselves) {
    GC_INIT();
    GC_set_stop_func(stop_after_patience);
    collects_within(30);
    ck_assert_int_gt(stops, 0);
}
END_TEST

START_TEST(incremental_mode_is_remembered) {
    GC_INIT();
    ck_assert(!GC_is_incremental_mode());
    GC_enable_incremental();
    ck_assert(GC_is_incremental_mode());
    ck_assert_int_eq(GC_incremental_protection_needs(),
                     differs(NO_PROTECTED_PAGES) ? GC_PROTECTS_NONE : GC_PROTECTS_POINTER_HEAP);
    ck_assert_int_lt(left_of_herd(GC_gcollect), FEW);
}
END_TEST

START_TEST(the_heap_grows_on_request) {
    GC_INIT();
    size_t before = GC_get_heap_size();
    ck_assert_int_eq(GC_expand_hp(32 << 20), 1);
    ck_assert_uint_ge(GC_get_heap_size(), before + (32 << 20));
    ck_assert_uint_ge(GC_get_free_bytes(), 32 << 20);
    GC_word cycles = GC_get_gc_no();
    for (int i = 0; i < 16; i++)
        GC_reachable_here(GC_malloc_atomic(1 << 20));
    ck_assert_uint_eq(GC_get_gc_no(), cycles);
}
END_TEST

static size_t oom_bytes;
static int oom_calls;

static void *out_of_memory(size_t bytes) {
    oom_bytes = bytes;
    oom_calls++;
    return &oom_calls;
}

static void *volatile kept[256];

START_TEST(the_heap_has_a_greatest_size) {
    GC_INIT();
    GC_set_warn_proc(ignore_warning);
    ck_assert_ptr_nonnull(GC_get_oom_fn());
    GC_set_max_heap_size(16 << 20);
    GC_set_oom_fn(out_of_memory);
    ck_assert(GC_get_oom_fn() == out_of_memory);
    int count = 0;
    for (; count < 256 && oom_calls == 0; count++)
        kept[count] = GC_malloc_atomic(500000);
    ck_assert(count > 20 && count < 36);
    ck_assert(kept[count - 1] == &oom_calls);
    ck_assert_uint_eq(oom_bytes, 500000);
    ck_assert_int_eq(GC_expand_hp(16 << 20), 0);
    for (int i = 0; i < count; i++)
        kept[i] = NULL;
    oom_calls = 0;
    for (int i = 0; i < 1000; i++)
        kept[0] = GC_malloc_atomic(200000);
    ck_assert_int_eq(oom_calls, 0);
    ck_assert_uint_le(GC_get_heap_size(), 17 << 20);
}
END_TEST

/* What does not fit leaves the object as it was. */
START_TEST(resizing_at_the_greatest_size_keeps_the_object) {
    GC_INIT();
    GC_set_warn_proc(ignore_warning);
    GC_set_max_heap_size(16 << 20);
    char *object = GC_malloc_atomic(4 << 20);
    memset(object, 'x', 4 << 20);
    ck_assert_ptr_null(GC_realloc(object, 64 << 20));
    ck_assert(object[0] == 'x' && object[(4 << 20) - 1] == 'x');
    int small = 0;
    while (small < 2000000 && (kept[0] = GC_malloc(48)) != NULL) {
        *(void **)kept[0] = kept[1];
        kept[1] = kept[0];
        small++;
    }
    ck_assert_int_lt(small, 400000);
    object = GC_realloc(object, (4 << 20) - 5000);
    ck_assert_ptr_nonnull(object);
    ck_assert(object[0] == 'x' && object[(4 << 20) - 5001] == 'x');
}
END_TEST

START_TEST(out_of_memory_may_end_the_program) {
    int status;
    GC_INIT();
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        GC_abort_on_oom();
    }
    waitpid(child, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}
END_TEST

static char events[64];
static size_t event_count;

static void note_event(GC_EventType event) {
    if (event_count < sizeof events - 1)
        events[event_count++] = (char)('0' + event);
}

START_TEST(events_come_in_order) {
    GC_INIT();
    ck_assert(GC_get_on_collection_event() == NULL);
    GC_set_on_collection_event(note_event);
    ck_assert(GC_get_on_collection_event() == note_event);
    GC_gcollect();
    GC_gcollect();
    GC_set_on_collection_event(NULL);
    GC_gcollect();
    ck_assert_str_eq(events, "06712893450671289345");
}
END_TEST

static int starts, resizes;
static GC_word last_size;
static void note_start(void) { starts++; }

static void note_resize(GC_word bytes) {
    resizes++;
    last_size = bytes;
}

START_TEST(programs_are_told_of_collections_and_of_growth) {
    GC_INIT();
    GC_set_start_callback(note_start);
    ck_assert(GC_get_start_callback() == note_start);
    GC_gcollect();
    GC_gcollect();
    ck_assert_int_eq(starts, 2);
    GC_set_on_heap_resize(note_resize);
    ck_assert(GC_get_on_heap_resize() == note_resize && GC_on_heap_resize == note_resize);
    for (int i = 0; i < 32; i++)
        kept[i] = GC_malloc_atomic(1 << 20);
    ck_assert_int_gt(resizes, 0);
    ck_assert_uint_ge(last_size, 16 << 20);
}
END_TEST

START_TEST(memory_goes_back_to_the_system) {
    GC_INIT();
    for (int way = 0; way < 2; way++) {
        GC_set_force_unmap_on_gcollect(way);
        ck_assert_int_eq(GC_get_force_unmap_on_gcollect(), way);
        for (int i = 0; i < 64; i++)
            kept[i] = memset(GC_malloc_atomic(1 << 20), 1, 1 << 20);
        size_t before = GC_get_heap_size();
        for (int i = 0; i < 64; i++)
            kept[i] = NULL;
        clear_stack();
        for (int times = 0; times < 4; times++)
            if (way)
                GC_gcollect();
            else
                GC_gcollect_and_unmap();
        ck_assert_uint_lt(GC_get_heap_size(), before / 2);
        ck_assert_uint_gt(GC_get_unmapped_bytes(), 32 << 20);
    }
}
END_TEST

/* Code that returns a number, for the processor that runs the test. */
#if defined(__x86_64__)
static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
#else
static const unsigned char code[] = {0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6};
#endif

START_TEST(the_heap_may_be_executable) {
    GC_set_pages_executable(1);
    GC_INIT();
    ck_assert_int_eq(GC_get_pages_executable(), 1);
    void *object = memcpy(GC_malloc_atomic(64), code, sizeof code);
    __builtin___clear_cache(object, (char *)object + sizeof code);
    int (*function)(void);
    memcpy(&function, &object, sizeof function);
    ck_assert_int_eq(function(), 42);
}
END_TEST

/* Arrays that come and go are in memory that is there. The first come by their memory; later ones
 * cost a fault now and then, where writes are recorded. */
START_TEST(memory_of_large_objects_is_used_again) {
    enum { ROUNDS = 60, FIRST = 20, BYTES = 16 << 20, PAGE = 4096 };
    struct rusage before = {0}, after;
    GC_INIT();
    for (int round = 0; round < ROUNDS; round++) {
        char *array = GC_malloc(BYTES);
        for (size_t i = 0; i < BYTES; i += PAGE)
            array[i] = 1;
        if (round == FIRST)
            getrusage(RUSAGE_SELF, &before);
    }
    getrusage(RUSAGE_SELF, &after);
    long pages = (long)(ROUNDS - FIRST) * (BYTES / PAGE);
    ck_assert_int_lt(after.ru_minflt - before.ru_minflt, pages / 2);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        starting_makes_a_collector,
        what_is_lost_is_collected,
        a_little_is_all_in_the_end,
        collections_are_forbidden_and_allowed,
        forbidding_nests,
        a_stop_function_ends_a_collection,
        a_stop_function_is_asked_before_collections_that_start_by_themselves,
        incremental_mode_is_remembered,
        memory_of_large_objects_is_used_again,
        the_heap_grows_on_request,
        the_heap_has_a_greatest_size,
        resizing_at_the_greatest_size_keeps_the_object,
        out_of_memory_may_end_the_program,
        events_come_in_order,
        programs_are_told_of_collections_and_of_growth,
        memory_goes_back_to_the_system,
        the_heap_may_be_executable,
    };
    return SUITE_RUN("libgc, collection", tests, 60);
}
