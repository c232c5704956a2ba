/* Addresses and objects: what is told of them, checks of pointers, writes, dead stack. */
#include "herd.h"
#include "suite.h"

#include "captured.h"
#include "differences.h"

#include "gc/gc_mark.h"

/* Exported, but not in the installed headers. */
void GC_noop1(GC_word value);
void GC_print_free_list(int kind, size_t granules);

static char data[64];

START_TEST(an_address_leads_to_its_object) {
    GC_INIT();
    for (size_t bytes = 16; bytes <= 1 << 20; bytes *= 4) {
        char *object = GC_malloc(bytes);
        ck_assert_ptr_eq(GC_base(object), object);
        ck_assert_ptr_eq(GC_base(object + bytes / 2), object);
        ck_assert_ptr_eq(GC_base(object + bytes - 1), object);
        ck_assert(GC_is_heap_ptr(object) && GC_is_heap_ptr(object + bytes - 1));
        size_t size = 0;
        ck_assert_int_eq(GC_get_kind_and_size(object, &size), 1);
        ck_assert_uint_eq(size, GC_size(object));
        ck_assert_uint_ge(size, bytes);
    }
    ck_assert_ptr_null(GC_base(NULL));
    ck_assert_ptr_null(GC_base(data));
    ck_assert(!GC_is_heap_ptr(data) && !GC_is_heap_ptr(&data) && !GC_is_heap_ptr(NULL));
    ck_assert(!GC_is_heap_ptr(malloc(16)));
}
END_TEST

static const void *complained[2];
static int complaints;

static void complain(void *address) {
    complained[0] = address;
    complaints++;
}

static void complain_of_two(void *one, void *other) {
    complained[0] = one;
    complained[1] = other;
    complaints++;
}

static void start_checking(void) {
    GC_INIT();
    GC_same_obj_print_proc = complain_of_two;
    GC_is_visible_print_proc = complain;
    GC_is_valid_displacement_print_proc = complain;
}

/* Whether the check returned its argument and complained so often since the last one. */
static bool is_told(void *result, const void *expected, int times) {
    bool as_expected = result == expected && complaints == times;
    complaints = 0;
    return as_expected;
}

START_TEST(pointers_into_one_object_are_the_same) {
    start_checking();
    char *object = GC_malloc(64), *other = GC_malloc(300);
    ck_assert(is_told(GC_same_obj(object + 60, object), object + 60, 0));
    ck_assert(is_told(GC_same_obj(object, object + 60), object, 0));
    ck_assert(is_told(GC_same_obj(data, data + 8), data, 0));
    ck_assert(is_told(GC_same_obj(object, other), object, 1));
    ck_assert(complained[0] == object && complained[1] == other);
    ck_assert(is_told(GC_same_obj(object, data), object, 1));
}
END_TEST

START_TEST(checked_arithmetic_stays_in_the_object) {
    start_checking();
    char *object = GC_malloc(64);
    void *moving = object;
    ck_assert(is_told(GC_pre_incr(&moving, 8), object + 8, 0));
    ck_assert(is_told(GC_post_incr(&moving, 16), object + 8, 0));
    ck_assert_ptr_eq(moving, object + 24);
    ck_assert(is_told(GC_pre_incr(&moving, -24), object, 0));
    ck_assert(is_told(GC_pre_incr(&moving, 1000), object + 1000, 1));
    moving = object;
    ck_assert(is_told(GC_post_incr(&moving, 1000), object, 1));
}
END_TEST

START_TEST(places_that_are_scanned_are_visible) {
    start_checking();
    char *object = GC_malloc(64), *unseen = malloc(64);
    ck_assert(is_told(GC_is_visible(data), data, 0));
    ck_assert(is_told(GC_is_visible(&object), &object, 0));
    ck_assert(is_told(GC_is_visible(object), object, 0));
    GC_add_roots(unseen, unseen + 64);
    ck_assert(is_told(GC_is_visible(unseen + 8), unseen + 8, 0));
    GC_remove_roots(unseen, unseen + 64);
    if (differs(VISIBILITY_IS_CHECKED)) {
        char *atomic = GC_malloc_atomic(64);
        ck_assert(is_told(GC_is_visible(unseen + 8), unseen + 8, 1));
        ck_assert_ptr_eq(complained[0], unseen + 8);
        ck_assert(is_told(GC_is_visible(atomic + 8), atomic + 8, 1));
    }
    free(unseen);
}
END_TEST

START_TEST(displacements_count_when_interior_addresses_do_not) {
    GC_set_all_interior_pointers(0);
    start_checking();
    char *object = GC_malloc(64);
    ck_assert(is_told(GC_is_valid_displacement(object), object, 0));
    ck_assert(is_told(GC_is_valid_displacement(data), data, 0));
    ck_assert(is_told(GC_is_valid_displacement(object + 24), object + 24, 1));
    GC_register_displacement(24);
    ck_assert(is_told(GC_is_valid_displacement(object + 24), object + 24, 0));
    ck_assert(is_told(GC_is_valid_displacement(object + 23), object + 23, 1));
}
END_TEST

static char *volatile kept_inside[HERD];
static struct herd herd;

__attribute__((noinline)) static void keep_inside(size_t offset) {
    for (int i = 0; i < HERD; i++) {
        char *object = GC_malloc(64);
        watch(&herd, i, object);
        kept_inside[i] = object + offset;
    }
}

static int kept_at(size_t offset) {
    keep_inside(offset);
    collect();
    return living(&herd);
}

START_TEST(addresses_inside_keep_their_objects) {
    GC_set_all_interior_pointers(_i);
    GC_INIT();
    ck_assert_int_eq(GC_get_all_interior_pointers(), _i);
    GC_register_displacement(8);
    ck_assert_int_eq(kept_at(0), HERD);
    ck_assert_int_eq(kept_at(8), HERD);
    if (_i == 1 || differs(INTERIOR_ADDRESSES))
        ck_assert_int_eq(kept_at(33), HERD);
    else
        ck_assert_int_lt(kept_at(33), FEW);
}
END_TEST

/* Holds addresses one past the ends of a herd's objects, which lie so that none of them is the
 * start of another one. */
__attribute__((noinline)) static int kept_at_ends(void) {
    enum { BYTES = 32, STRIDE = 4 };
    char *volatile ends[HERD];
    for (int i = 0; i < HERD;) {
        char *object = GC_malloc(BYTES);
        if ((uintptr_t)object / BYTES % STRIDE != 0)
            continue;
        watch(&herd, i, object);
        ends[i++] = object + BYTES;
    }
    collect();
    GC_reachable_here(ends[0]);
    return living(&herd);
}

START_TEST(ends_on_stacks_keep_objects_with_interior_addresses) {
    GC_set_all_interior_pointers(_i);
    GC_INIT();
    if (_i == 1)
        ck_assert_int_eq(kept_at_ends(), HERD);
    else
        ck_assert_int_lt(kept_at_ends(), FEW);
}
END_TEST

static void *volatile *slots;

__attribute__((noinline)) static void store_with_barriers(void) {
    for (int i = 0; i < HERD; i++) {
        void *object = GC_malloc(16);
        watch(&herd, i, object);
        if (i % 2) {
            slots[i] = object;
            GC_end_stubborn_change((void *)&slots[i]);
        } else {
            GC_ptr_store_and_dirty((void *)&slots[i], object);
        }
    }
}

START_TEST(stores_are_seen_between_collections) {
    GC_set_manual_vdb_allowed(1);
    GC_INIT();
    ck_assert_int_eq(GC_get_manual_vdb_allowed(), 1);
    GC_enable_incremental();
    slots = GC_malloc(HERD * sizeof *slots);
    GC_change_stubborn((void *)slots);
    for (int round = 0; round < 5; round++) {
        store_with_barriers();
        GC_collect_a_little();
        collect();
        ck_assert_int_eq(living(&herd), HERD);
        for (int i = 0; i < HERD; i++)
            ck_assert_ptr_eq(slots[i], GC_REVEAL_POINTER(herd.links[i]));
    }
    GC_reachable_here(slots);
}
END_TEST

/* Pointers to a herd in a frame that is left. */
__attribute__((noinline)) static void leave_pointers(void) {
    void *volatile objects[HERD];
    for (int i = 0; i < HERD; i++) {
        objects[i] = GC_malloc(16);
        watch(&herd, i, objects[i]);
    }
}

/* Goes down as far without writing there. */
__attribute__((noinline)) static void collect_below(void) {
    char room[3000];
    GC_reachable_here(room);
    GC_gcollect();
    GC_reachable_here(room);
}

START_TEST(dead_stack_is_cleared) {
    GC_INIT();
    leave_pointers();
    collect_below();
    int before = living(&herd);
    leave_pointers();
    for (int i = 0; i < 100; i++)
        ck_assert_ptr_eq(GC_clear_stack(data), data);
    collect_below();
    ck_assert_int_gt(before, MOST);
    ck_assert_int_lt(living(&herd), HERD / 2);
}
END_TEST

/* A compiler that knew that the sink does nothing would not keep the value. */
START_TEST(a_sink_takes_any_word) {
    static volatile GC_word source = 5;
    GC_word seen = source;
    GC_noop1(seen);
    source = 6;
    ck_assert_uint_eq(seen, 5);
    GC_noop1((GC_word)&seen);
    ck_assert_uint_eq(seen, 5);
}
END_TEST

static void print_lists(void) {
    GC_print_free_list(0, 2);
    GC_print_free_list(1, 2);
}

START_TEST(free_lists_are_printed) {
    GC_INIT();
    for (int i = 0; i < 10; i++)
        GC_reachable_here(GC_malloc_atomic(31));
    ck_assert_ptr_nonnull(strstr(captured(STDOUT_FILENO, print_lists), "0x"));
}
END_TEST

struct search {
    const void *wanted;
    size_t bytes;
    int found, all;
};

static void look_at(void *object, size_t bytes, void *context) {
    struct search *search = context;
    search->all++;
    if (object == search->wanted) {
        search->found++;
        search->bytes = bytes;
    }
}

static void *enumerate(void *context) {
    GC_enumerate_reachable_objects_inner(look_at, context);
    return NULL;
}

START_TEST(reachable_objects_are_enumerated) {
    GC_INIT();
    void *object = GC_malloc(100);
    struct search search = {object, 0, 0, 0};
    GC_gcollect();
    GC_call_with_alloc_lock(enumerate, &search);
    ck_assert_int_eq(search.found, 1);
    ck_assert_uint_eq(search.bytes, GC_size(object));
    int before = search.all;
    search.all = 0;
    keep_inside(0);
    collect();
    GC_call_with_alloc_lock(enumerate, &search);
    ck_assert_int_ge(search.all, before + HERD);
    for (int i = 0; i < HERD; i++)
        kept_inside[i] = NULL;
    search.all = 0;
    collect();
    GC_call_with_alloc_lock(enumerate, &search);
    ck_assert_int_lt(search.all, before + HERD);
    GC_reachable_here(object);
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        an_address_leads_to_its_object,
        pointers_into_one_object_are_the_same,
        checked_arithmetic_stays_in_the_object,
        places_that_are_scanned_are_visible,
        displacements_count_when_interior_addresses_do_not,
        stores_are_seen_between_collections,
        dead_stack_is_cleared,
        a_sink_takes_any_word,
        free_lists_are_printed,
        reachable_objects_are_enumerated,
    };
    const struct looped loops[] = {{addresses_inside_keep_their_objects, 2},
                                   {ends_on_stacks_keep_objects_with_interior_addresses, 2}};
    return SUITE_RUN_LOOPS("libgc, objects", once, loops, 60);
}
