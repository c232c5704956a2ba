/* What came to libgc's interface after 8.2.2: nothing of it is in the library that this suite would
 * be compared with, so there it does nothing.
 */
#include "herd.h"
#include "suite.h"

#include "differences.h"

#include "gc/gc_disclaim.h"
#include "gc/gc_gcj.h"
#include "gc/gc_inline.h"
#include "gc/gc_mark.h"
#include "gc/gc_typed.h"
#include "gc/javaxfc.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct herd herd, other_herd;

START_TEST(the_version_is_told) {
    GC_INIT();
    ck_assert_uint_eq(GC_get_version(), 0x8020c);
    ck_assert_uint_eq(GC_get_version(),
                      GC_VERSION_MAJOR << 16 | GC_VERSION_MINOR << 8 | GC_VERSION_MICRO);
}
END_TEST

/* NULL and narrow numbers, which 8.2.2's headers do not take. */

START_TEST(null_has_no_size) {
    GC_INIT();
    ck_assert_uint_eq(GC_size(NULL), 0);
}
END_TEST

START_TEST(an_environment_has_all_its_bits) {
    const unsigned environment = 1U << 27;
    ck_assert_uint_eq(GC_MAKE_PROC(1, environment), ((GC_word)environment << 6 | 1) << 2 | 2);
}
END_TEST

__attribute__((noinline)) static void make_parents(int kind) {
    for (int i = 0; i < HERD; i++) {
        void **parent = GC_generic_malloc(24, kind), *child = GC_malloc_atomic(24);
        *parent = child;
        watch(&herd, i, child);
    }
}

static int GC_CALLBACK give_up(void *object) {
    (void)object;
    return 0;
}

/* Without one, nothing of a dead object is kept for it to look at. */
START_TEST(procedures_are_taken_back) {
    GC_INIT();
    int kind = GC_new_kind(GC_new_free_list(), GC_DS_LENGTH, 1, 1);
    GC_register_disclaim_proc(kind, give_up, 1);
    make_parents(kind);
    clear_stack();
    GC_gcollect();
    ck_assert_int_eq(living(&herd), HERD);
    GC_register_disclaim_proc(kind, NULL, 1);
    make_parents(kind);
    clear_stack();
    GC_gcollect();
    ck_assert_int_le(living(&herd), FEW);
}
END_TEST

/* Memory. */

START_TEST(objects_are_cleared_and_freed) {
    unsigned char zeros[100] = {0};
    GC_INIT();
    for (int debugging = 0; debugging < 2; debugging++) {
        char *object = debugging ? GC_debug_malloc_atomic(100, "here", 1) : GC_malloc_atomic(100);
        memset(object, 1, 100);
        size_t freed = GC_get_expl_freed_bytes_since_gc();
        if (debugging)
            GC_debug_freezero(object, SIZE_MAX);
        else
            GC_freezero(object, 60);
        ck_assert_uint_gt(GC_get_expl_freed_bytes_since_gc(), freed);
        if (!debugging) {
            ck_assert_int_eq(memcmp(object + 16, zeros, 60 - 16),
                             0);       /* behind the heap's own marks */
            if (!getenv("LD_PRELOAD")) /* where all of such an object is cleared */
                ck_assert_int_eq(object[60], 1);
        }
    }
    GC_freezero(NULL, 10);
    GC_debug_freezero(NULL, 10);
}
END_TEST

static volatile size_t impossible = SIZE_MAX / 2;

START_TEST(what_cannot_grow_is_freed) {
    GC_INIT();
    GC_set_warn_proc(ignore_warning);
    for (int debugging = 0; debugging < 2; debugging++) {
        char *object = debugging ? GC_debug_malloc(100, "here", 1) : GC_malloc(100);
        object[99] = 7;
        object = debugging ? GC_debug_reallocf(object, 1000, "here", 2) : GC_reallocf(object, 1000);
        ck_assert_int_eq(object[99], 7);
        size_t freed = GC_get_expl_freed_bytes_since_gc();
        ck_assert_ptr_null(debugging ? GC_debug_reallocf(object, impossible, "here", 3)
                                     : GC_reallocf(object, impossible));
        ck_assert_uint_ge(GC_get_expl_freed_bytes_since_gc(), freed + 1000);
    }
}
END_TEST

START_TEST(pages_are_given) {
    size_t page = sysconf(_SC_PAGESIZE);
    GC_INIT();
    for (size_t bytes = 1; bytes < 5 * page; bytes += page / 2) {
        char *some = GC_valloc(bytes), *whole = GC_pvalloc(bytes);
        ck_assert_uint_eq((uintptr_t)some % page, 0);
        ck_assert_uint_eq((uintptr_t)whole % page, 0);
        ck_assert_uint_ge(GC_size(some), bytes);
        ck_assert_uint_ge(GC_size(whole), (bytes + page - 1) / page * page);
        for (size_t i = 0; i < bytes; i++)
            REQUIRE(some[i] == 0 && whole[i] == 0);
    }
    GC_set_warn_proc(ignore_warning);
    ck_assert_ptr_null(GC_pvalloc(2 * impossible));
}
END_TEST

START_TEST(ends_have_room_or_not) {
    if (_i)
        GC_set_all_interior_pointers(0);
    GC_INIT();
    ck_assert_int_eq(GC_get_dont_add_byte_at_end(), _i);
    GC_noop1_ptr(&herd);
}
END_TEST

static GC_descr second_word(void) {
    GC_word map = 2;
    return GC_make_descriptor(&map, 4);
}

START_TEST(arrays_are_prepared_once) {
    struct GC_calloc_typed_descr_s layout;
    enum { ELEMENTS = HERD };
    GC_INIT();
    ck_assert_int_eq(
        GC_calloc_prepare_explicitly_typed(&layout, sizeof layout, ELEMENTS, 32, second_word()), 1);
    void **arrays[2];
    for (int k = 0; k < 2; k++) {
        arrays[k] = GC_calloc_do_explicitly_typed(&layout, sizeof layout);
        ck_assert_uint_ge(GC_size(arrays[k]), ELEMENTS * 32);
        for (int i = 0; i < 4 * ELEMENTS; i++)
            REQUIRE(arrays[k][i] == NULL);
    }
    for (int i = 0; i < ELEMENTS; i++) {
        watch(&herd, i, arrays[0][4 * i + 1] = GC_malloc(32));
        watch(&other_herd, i, arrays[1][4 * i + 2] = GC_malloc(32));
    }
    collect();
    ck_assert_int_eq(living(&herd), HERD);
    ck_assert_int_le(living(&other_herd), HERD - MOST);
    GC_reachable_here(arrays[0]);
    GC_reachable_here(arrays[1]);
    ck_assert_int_eq(
        GC_calloc_prepare_explicitly_typed(&layout, sizeof layout, impossible, 32, second_word()),
        0);
    ck_assert_ptr_null(GC_calloc_do_explicitly_typed(&layout, sizeof layout));
}
END_TEST

/* The descriptor lies further on in the table. */
START_TEST(tables_have_their_descriptor_where_it_is_said) {
    static GC_word table[8];
    GC_INIT();
    GC_init_gcj_malloc_mp(0, NULL, 3 * sizeof(GC_word));
    GC_word map = 4;
    table[3] = GC_make_descriptor(&map, 4);
    void **objects = GC_malloc(HERD * sizeof *objects);
    for (int i = 0; i < HERD; i++) {
        void **object = objects[i] = GC_gcj_malloc(32, table);
        watch(&herd, i, object[2] = GC_malloc(32));
        watch(&other_herd, i, object[3] = GC_malloc(32));
    }
    collect();
    ck_assert_int_eq(living(&herd), HERD);
    ck_assert_int_le(living(&other_herd), HERD - MOST);
    GC_reachable_here(objects);
}
END_TEST

/* Marking. */

struct ephemeron {
    GC_word hidden_key;
    GC_word hidden_value;
};

static struct ephemeron ephemerons[HERD];
static int asked;

static struct GC_ms_entry *push_values(struct GC_ms_entry *top, struct GC_ms_entry *limit) {
    asked++;
    for (int i = 0; i < HERD; i++)
        if (ephemerons[i].hidden_key && GC_is_marked(GC_REVEAL_POINTER(ephemerons[i].hidden_key)))
            top = GC_mark_and_push(GC_REVEAL_POINTER(ephemerons[i].hidden_value), top, limit, NULL);
    return top;
}

/* Each value is the next one's key, against the order in which the function looks at them. */
__attribute__((noinline)) static void *chain_ephemerons(void) {
    void *first = GC_malloc(32), *key = first;
    for (int i = HERD - 1; i >= 0; i--) {
        void *value = GC_malloc(32);
        ephemerons[i] = (struct ephemeron){GC_HIDE_POINTER(key), GC_HIDE_POINTER(value)};
        watch(&herd, i, value);
        key = value;
    }
    return first;
}

__attribute__((noinline)) static void keep_first(void *first) {
    collect();
    ck_assert_int_eq(living(&herd), HERD);
    ck_assert_int_gt(asked, HERD);
    GC_reachable_here(first);
}

START_TEST(values_live_as_long_as_their_keys) {
    GC_INIT();
    ck_assert(GC_get_on_mark_stack_empty() == NULL);
    GC_set_on_mark_stack_empty(push_values);
    ck_assert(GC_get_on_mark_stack_empty() == push_values);
    keep_first(chain_ephemerons());
    collect();
    ck_assert_int_le(living(&herd), HERD - MOST);
}
END_TEST

static int finalized;

static void count_finalized(void *object, void *data) {
    (void)object, (void)data;
    finalized++;
}

__attribute__((noinline)) static void make_finalizable_keys(void) {
    for (int i = 0; i < HERD; i++) {
        void *key = GC_malloc(32), *value = GC_malloc(32);
        GC_register_finalizer_no_order(key, count_finalized, NULL, NULL, NULL);
        ephemerons[i] = (struct ephemeron){GC_HIDE_POINTER(key), GC_HIDE_POINTER(value)};
        *(long *)value = 0x1234 + i;
    }
}

static void check_values(void *key, void *unused) {
    (void)unused;
    for (int i = 0; i < HERD; i++)
        if (ephemerons[i].hidden_key == GC_HIDE_POINTER(key)) {
            ck_assert_int_eq(*(long *)GC_REVEAL_POINTER(ephemerons[i].hidden_value), 0x1234 + i);
            ephemerons[i].hidden_key = 0;
            finalized++;
        }
}

/* What finalizers are given has its values still. */
START_TEST(values_of_finalized_keys_are_there) {
    GC_INIT();
    GC_set_on_mark_stack_empty(push_values);
    GC_set_finalize_on_demand(1);
    make_finalizable_keys();
    for (int i = 0; i < HERD; i++)
        GC_register_finalizer_no_order(GC_REVEAL_POINTER(ephemerons[i].hidden_key), check_values,
                                       NULL, NULL, NULL);
    clear_stack();
    GC_gcollect();
    for (int i = 0; i < 20000; i++)
        *(long *)GC_malloc(32) = 0;
    GC_invoke_finalizers();
    ck_assert_int_ge(finalized, MOST);
}
END_TEST

static void **outside;

static void push_roots_by_descriptor(void) { GC_push_obj_descr(outside, second_word()); }

static struct GC_ms_entry *push_by_descriptor(struct GC_ms_entry *top, struct GC_ms_entry *limit) {
    top = GC_ms_push_obj_descr(outside + 8, second_word(), top, limit);
    return GC_ms_push_all(outside + 16, outside + 20, top, limit);
}

START_TEST(objects_are_pushed_as_a_descriptor_says) {
    GC_INIT();
    outside = calloc(32, sizeof *outside); /* which is nowhere that the collector looks */
    if (getenv("LD_PRELOAD"))
        return;
    second_word(); /* makes what it needs before a collection */
    for (int i = 0; i < 24; i++)
        watch(&herd, i, outside[i] = GC_malloc(32));
    GC_set_push_other_roots(push_roots_by_descriptor);
    GC_set_on_mark_stack_empty(push_by_descriptor);
    collect();
    ck_assert(herd.links[1] && herd.links[9]);
    for (int i = 16; i < 20; i++)
        ck_assert(herd.links[i]);
    int dead = 0;
    for (int i = 0; i < 24; i++)
        dead += herd.links[i] == NULL;
    ck_assert_int_ge(dead, 12);
}
END_TEST

static GC_word *transformed;

__attribute__((noinline)) static void make_transformed(GC_word tag, unsigned shift) {
    transformed = GC_malloc(HERD * sizeof *transformed);
    for (int i = 0; i < HERD; i++) {
        void *object = GC_malloc(32);
        watch(&herd, i, object);
        transformed[i] = ((GC_word)object >> shift) | tag;
    }
}

/* Tags above, or words that lack the bits which are zero in all addresses. */
START_TEST(words_are_masked_and_shifted) {
    GC_word tag = _i == 0 ? (GC_word)0xabc << 52 : 0;
    unsigned shift = _i == 0 ? 0 : 4;
    ck_assert_uint_eq(GC_get_pointer_mask(), ~(GC_word)0);
    ck_assert_uint_eq(GC_get_pointer_shift(), 0);
    if (_i < 2) {
        GC_set_pointer_mask(~((GC_word)0xfff << 52));
        GC_set_pointer_shift(shift);
        ck_assert_uint_eq(GC_get_pointer_mask(), ~((GC_word)0xfff << 52));
        ck_assert_uint_eq(GC_get_pointer_shift(), shift);
    }
    GC_INIT();
    make_transformed(tag, shift);
    collect();
    if (_i < 2)
        ck_assert_int_eq(living(&herd), HERD);
    else
        ck_assert_int_le(living(&herd), HERD - MOST);
}
END_TEST

/* Finalizers, and toggle references. */

__attribute__((noinline)) static void make_finalizable(void) {
    for (int i = 0; i < HERD; i++)
        GC_register_finalizer(GC_malloc(32), count_finalized, NULL, NULL, NULL);
}

START_TEST(finalizers_are_called_a_few_at_a_time) {
    GC_INIT();
    GC_set_finalize_on_demand(1);
    ck_assert_uint_eq(GC_get_interrupt_finalizers(), 0);
    GC_set_interrupt_finalizers(7);
    ck_assert_uint_eq(GC_get_interrupt_finalizers(), 7);
    make_finalizable();
    clear_stack();
    GC_gcollect();
    ck_assert_int_eq(GC_invoke_finalizers(), 7);
    ck_assert_int_eq(finalized, 7);
    ck_assert(GC_should_invoke_finalizers());
    GC_finalize_all();
    ck_assert_int_eq(finalized, HERD);
    ck_assert_uint_eq(GC_get_interrupt_finalizers(), 0);
}
END_TEST

static void *toggled;
static int times_asked;

static GC_ToggleRefStatus stay_strong(void *object) {
    times_asked += object == GC_REVEAL_POINTER(toggled);
    return GC_TOGGLE_REF_STRONG;
}

__attribute__((noinline)) static void toggle(void) {
    void *object = GC_debug_malloc(32, "toggled.c", 1);
    *(int *)object = 77;
    toggled = (void *)GC_HIDE_POINTER(object);
    ck_assert_int_eq(GC_debug_toggleref_add(object, 1), GC_SUCCESS);
}

START_TEST(debugging_objects_are_toggled) {
    GC_INIT();
    GC_set_toggleref_func(stay_strong);
    toggle();
    collect();
    ck_assert_int_ge(times_asked, 2);
    ck_assert_int_eq(*(int *)GC_REVEAL_POINTER(toggled), 77);
}
END_TEST

/* Locks, and collections. */

static volatile int inside, most_inside;

static void *read_together(void *argument) {
    int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    if (now > most_inside)
        most_inside = now;
    for (int i = 0; i < 1000 && most_inside < 2; i++)
        usleep(1000);
    __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    return argument;
}

static void *read_in_thread(void *argument) {
    return GC_call_with_reader_lock(read_together, argument, 0);
}

static void *be_alone(void *argument) {
    ck_assert_int_eq(inside, 0);
    return argument;
}

START_TEST(readers_read_together) {
    pthread_t thread;
    void *result;
    GC_INIT();
    GC_pthread_create(&thread, NULL, read_in_thread, &herd);
    ck_assert_ptr_eq(GC_call_with_reader_lock(read_together, &other_herd, 1), &other_herd);
    GC_pthread_join(thread, &result);
    ck_assert_ptr_eq(result, &herd);
    ck_assert_int_eq(most_inside, 2);
    for (int i = 0; i < 100; i++) {
        GC_pthread_create(&thread, NULL, read_in_thread, NULL);
        GC_call_with_alloc_lock(be_alone, NULL);
        if (i % 20 == 0)
            GC_gcollect();
        GC_pthread_join(thread, NULL);
    }
}
END_TEST

static volatile bool enough;

static void *read_on(void *unused) {
    while (!enough)
        GC_call_with_reader_lock(be_alone, NULL, 0);
    return unused;
}

START_TEST(a_forked_child_may_read) {
    pthread_t thread;
    int status;
    GC_INIT();
    GC_pthread_create(&thread, NULL, read_on, NULL);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            GC_call_with_reader_lock(be_alone, NULL, 0);
            GC_gcollect();
            _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    enough = true;
    GC_pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_collection_is_finished_and_no_other_begins) {
    GC_INIT();
    GC_enable_incremental();
    for (int i = 0; i < 3; i++) {
        GC_start_incremental_collection();
        GC_finish_and_disable();
        GC_word number = GC_get_gc_no();
        for (int k = 0; k < 100000; k++)
            GC_reachable_here(GC_malloc(100));
        ck_assert(GC_is_disabled());
        ck_assert_uint_eq(GC_get_gc_no(), number);
        GC_enable();
        ck_assert(!GC_is_disabled());
        GC_gcollect();
        ck_assert_uint_gt(GC_get_gc_no(), number);
    }
}
END_TEST

START_TEST(ways_to_know_of_writes_are_told) {
    unsigned supported = GC_get_supported_vdbs();
    GC_INIT();
    unsigned actual = GC_get_actual_vdb();
    ck_assert(actual == GC_VDB_UFFDWP || actual == GC_VDB_SOFT || actual == GC_VDB_DEFAULT);
    ck_assert_uint_eq(supported & actual, actual);
    ck_assert_int_eq(GC_get_mprotect_vdb_allowed(), 1);
    GC_set_mprotect_vdb_allowed(0);
    ck_assert_int_eq(GC_get_mprotect_vdb_allowed(), 0);
}
END_TEST

/* Figures. */

START_TEST(stops_are_timed) {
    GC_INIT();
    GC_start_performance_measurement();
    for (int i = 0; i < 200; i++)
        GC_gcollect();
    ck_assert_uint_gt(GC_get_avg_stopped_mark_time_ns(), 100);
    ck_assert_uint_lt(GC_get_avg_stopped_mark_time_ns(), 1000000000);
    ck_assert_uint_lt(GC_get_full_gc_total_ns_frac(), 1000000);
    ck_assert_uint_gt(GC_get_full_gc_total_ns_frac() + GC_get_full_gc_total_time(), 0);
    unsigned long average = GC_get_avg_stopped_mark_time_ns() * GC_get_gc_no() / 1000000;
    ck_assert_uint_le(GC_get_stopped_mark_total_time(), average + 1);
    ck_assert_uint_ge(GC_get_stopped_mark_total_time() + 1, average / 2);
}
END_TEST

static size_t memory_told, failures_told;
static char *memory_end;

static void note_memory(void *memory, size_t bytes) {
    if (memory == NULL) {
        failures_told++;
        return;
    }
    memory_told += bytes;
    memory_end = (char *)memory + bytes;
}

START_TEST(new_memory_is_told) {
    GC_INIT();
    ck_assert(GC_get_on_os_get_mem() == NULL);
    GC_set_on_os_get_mem(note_memory);
    ck_assert(GC_get_on_os_get_mem() == note_memory);
    size_t before = GC_get_obtained_from_os_bytes();
    char *object = GC_malloc_atomic(20 << 20);
    ck_assert_uint_ge(memory_told, 19 << 20);
    ck_assert_uint_ge(GC_get_obtained_from_os_bytes() - before, 19 << 20);
    ck_assert(memory_end >= object + (20 << 20));
    GC_set_warn_proc(ignore_warning);
    ck_assert_ptr_null(GC_malloc(impossible));
    ck_assert_uint_eq(failures_told, 1);
}
END_TEST

static size_t bytes_of[6];
static char *sought;
static bool found;

static void sum_section(void *start, void *end, GC_heap_section_type type, void *data) {
    ck_assert_ptr_eq(data, &herd);
    ck_assert((char *)start < (char *)end);
    bytes_of[type] += (char *)end - (char *)start;
    if (type == GC_HEAP_SECTION_TYPE_USED && sought >= (char *)start && sought < (char *)end)
        found = true;
}

START_TEST(the_heap_has_sections) {
    GC_INIT();
    sought = GC_malloc_atomic(100000);
    GC_alloc_lock();
    GC_foreach_heap_section_inner(sum_section, &herd);
    GC_alloc_unlock();
    ck_assert(found);
    ck_assert_uint_ge(bytes_of[GC_HEAP_SECTION_TYPE_USED], 100000);
    ck_assert_uint_eq(bytes_of[GC_HEAP_SECTION_TYPE_WHOLE_SECT],
                      bytes_of[GC_HEAP_SECTION_TYPE_USED] + bytes_of[GC_HEAP_SECTION_TYPE_FREE] +
                          bytes_of[GC_HEAP_SECTION_TYPE_PADDING]);
}
END_TEST

static void *complained;

static void complain_of_two(void *one, void *other) {
    (void)other;
    complained = one;
}
static void complain_of_one(void *one) { complained = one; }

START_TEST(complaints_go_where_they_are_sent) {
    GC_INIT();
    GC_set_same_obj_print_proc(complain_of_two);
    GC_set_is_visible_print_proc(complain_of_one);
    GC_set_is_valid_displacement_print_proc(complain_of_one);
    ck_assert(GC_get_same_obj_print_proc() == complain_of_two);
    ck_assert(GC_get_is_visible_print_proc() == complain_of_one);
    ck_assert(GC_get_is_valid_displacement_print_proc() == complain_of_one);
    char *one = GC_malloc(32), *other = GC_malloc(32);
    GC_same_obj(one, other);
    ck_assert_ptr_eq(complained, one);
    GC_reachable_here(other);
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        the_version_is_told,
        null_has_no_size,
        an_environment_has_all_its_bits,
        procedures_are_taken_back,
        objects_are_cleared_and_freed,
        what_cannot_grow_is_freed,
        pages_are_given,
        arrays_are_prepared_once,
        tables_have_their_descriptor_where_it_is_said,
        values_live_as_long_as_their_keys,
        values_of_finalized_keys_are_there,
        objects_are_pushed_as_a_descriptor_says,
        finalizers_are_called_a_few_at_a_time,
        debugging_objects_are_toggled,
        readers_read_together,
        a_forked_child_may_read,
        a_collection_is_finished_and_no_other_begins,
        ways_to_know_of_writes_are_told,
        stops_are_timed,
        new_memory_is_told,
        the_heap_has_sections,
        complaints_go_where_they_are_sent,
    };
    const struct looped loops[] = {{ends_have_room_or_not, 2}, {words_are_masked_and_shifted, 3}};
    if (!differs(LATER_INTERFACE))
        return 0;
    return SUITE_RUN_LOOPS("libgc, later", once, loops, 60);
}
