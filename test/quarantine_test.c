/* The quarantine: whatever leads to a freed object keeps it from being handed out again, in every
 * place but a freed object; and what nothing leads to comes back.
 *
 * What was freed is remembered in a form that no collector takes for a pointer.
 */
#include "suite.h"

#include "alloc/alloc.h"
#include "cycle/cycle.h"
#include "heap/object.h"
#include "heap/quarantine.h"
#include "os/options.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OBJECTS = 64, BYTES = 80, LARGE_BYTES = 100000 };

static uintptr_t hidden[OBJECTS];
static void *volatile dangling[OBJECTS];
static void *volatile root;

static void start(const char *how) {
    strcpy(options.quarantine, how);
    cycle_enable();
}

/* Stale copies of pointers in dead frames would keep what a test has dropped. */
__attribute__((noinline)) static void overwrite_stack(void) {
    volatile unsigned char buffer[32768];
    for (size_t i = 0; i < sizeof buffer; i++)
        buffer[i] = (unsigned char)i;
}

/* What a mark finds unreachable is free after it. */
static void collect(void) {
    overwrite_stack();
    ck_assert(cycle_collect(CYCLE_FORCED));
}

static bool is_quarantined(uintptr_t address) {
    struct object object;
    return object_find(address, &object) && object_address(object) == address &&
           (*object_state(object) & OBJECT_QUARANTINED);
}

static unsigned quarantined(void) {
    unsigned count = 0;
    for (int i = 0; i < OBJECTS; i++)
        count += is_quarantined(~hidden[i]);
    return count;
}

static unsigned char mark_of(int i) { return (unsigned char)(17 + i); }

static void *make(int i, size_t bytes) {
    void *object = alloc_fast(bytes);
    memset(object, mark_of(i), bytes);
    hidden[i] = ~(uintptr_t)object;
    return object;
}

/* Hands out more than all that was freed, and writes to it. */
__attribute__((noinline)) static void churn(size_t bytes) {
    void *last = NULL;
    for (int i = 0; i < 40 * OBJECTS; i++) {
        void *object = alloc_fast(bytes);
        memset(object, 0xaa, bytes);
        for (int k = 0; k < OBJECTS; k++)
            REQUIRE(dangling[k] == NULL || object != dangling[k]);
        free_fast(last);
        last = object;
    }
    free_fast(last);
}

static unsigned intact(size_t bytes) {
    unsigned count = 0;
    for (int i = 0; i < OBJECTS; i++) {
        const unsigned char *object = dangling[i];
        size_t same = 0;
        while (same < bytes && object[same] == mark_of(i))
            same++;
        count += same == bytes;
    }
    return count;
}

__attribute__((noinline)) static void free_into_globals(size_t bytes) {
    for (int i = 0; i < OBJECTS; i++) {
        dangling[i] = make(i, bytes);
        free_fast(dangling[i]);
    }
}

static void drop_globals(void) {
    for (int i = 0; i < OBJECTS; i++)
        dangling[i] = NULL;
}

static void hold_by_globals(size_t bytes) {
    start("on");
    free_into_globals(bytes);
    ck_assert_uint_eq(quarantined(), OBJECTS);
    for (int round = 0; round < 3; round++) {
        collect();
        churn(bytes);
        ck_assert_uint_eq(quarantined(), OBJECTS);
        ck_assert_uint_eq(intact(bytes), OBJECTS);
    }
    ck_assert_uint_ge(AO_load(&quarantine.reached_blocks), OBJECTS);
    drop_globals();
    collect();
    ck_assert_uint_eq(quarantined(), 0);
}

START_TEST(a_global_holds) { hold_by_globals(BYTES); }
END_TEST

START_TEST(a_global_holds_large_objects) { hold_by_globals(LARGE_BYTES); }
END_TEST

START_TEST(an_inner_pointer_holds) {
    start("on");
    free_into_globals(BYTES);
    for (int i = 0; i < OBJECTS; i++)
        dangling[i] = (char *)dangling[i] + 1 + i;
    collect();
    ck_assert_uint_eq(quarantined(), OBJECTS);
}
END_TEST

__attribute__((noinline)) static void free_into_array(void *volatile *array) {
    for (int i = 0; i < OBJECTS; i++) {
        array[i] = make(i, BYTES);
        free_fast(array[i]);
    }
}

START_TEST(a_stack_holds) {
    void *volatile array[OBJECTS];
    start("on");
    free_into_array(array);
    collect();
    ck_assert_uint_eq(quarantined(), OBJECTS);
    for (int i = 0; i < OBJECTS; i++)
        array[i] = NULL;
    collect();
    ck_assert_uint_eq(quarantined(), 0);
}
END_TEST

START_TEST(an_object_holds) {
    start("on");
    root = alloc_fast(OBJECTS * sizeof(void *));
    free_into_array(root);
    collect();
    ck_assert_uint_eq(quarantined(), OBJECTS);
    root = NULL;
    collect();
    ck_assert_uint_eq(quarantined(), 0);
}
END_TEST

/* It is itself held, and still keeps nothing. */
START_TEST(a_freed_object_does_not_hold) {
    start("on");
    root = alloc_fast(OBJECTS * sizeof(void *));
    free_into_array(root);
    free_fast(root);
    collect();
    ck_assert_uint_eq(quarantined(), 0);
    ck_assert(is_quarantined((uintptr_t)root));
}
END_TEST

__attribute__((noinline)) static void free_into_nothing(size_t bytes) {
    for (int i = 0; i < OBJECTS; i++)
        free_fast(make(i, bytes));
}

__attribute__((noinline)) static unsigned reused(size_t bytes) {
    unsigned count = 0;
    void **last = NULL;
    for (int i = 0; i < 200 * OBJECTS; i++) {
        void **object = alloc_fast(bytes);
        for (int k = 0; k < OBJECTS; k++)
            count += (uintptr_t)object == ~hidden[k];
        *object = last;
        last = object;
    }
    root = last;
    return count;
}

static void come_back(size_t bytes) {
    start("on");
    free_into_nothing(bytes);
    ck_assert_uint_eq(quarantined(), OBJECTS);
    collect();
    ck_assert_uint_eq(quarantined(), 0);
    ck_assert_uint_eq(reused(bytes), OBJECTS);
}

START_TEST(what_nothing_leads_to_comes_back) { come_back(BYTES); }
END_TEST

START_TEST(large_objects_come_back) { come_back(LARGE_BYTES); }
END_TEST

START_TEST(nothing_comes_back_before_a_mark) {
    start("on");
    options.min_heap = (size_t)1 << 40;
    free_into_nothing(BYTES);
    ck_assert_uint_eq(reused(BYTES), 0);
    ck_assert_uint_eq(quarantined(), OBJECTS);
}
END_TEST

START_TEST(what_resizing_leaves_is_freed_like_the_rest) {
    start("on");
    for (int i = 0; i < OBJECTS; i++) {
        dangling[i] = make(i, BYTES);
        void *moved = alloc_resize(dangling[i], 10 * BYTES);
        ck_assert_ptr_ne(moved, dangling[i]);
        free_fast(moved);
    }
    collect();
    churn(BYTES);
    ck_assert_uint_eq(intact(BYTES), OBJECTS);
    char *large = alloc_fast(LARGE_BYTES * 10), *small = alloc_resize(large, LARGE_BYTES);
    ck_assert_ptr_ne(small, large);
    ck_assert(is_quarantined((uintptr_t)large));
}
END_TEST

START_TEST(objects_are_filled_when_asked) {
    start("fill");
    for (size_t bytes = BYTES; bytes <= LARGE_BYTES; bytes += LARGE_BYTES - BYTES) {
        free_into_globals(bytes);
        collect();
        churn(bytes);
        for (int i = 0; i < OBJECTS; i++)
            for (size_t k = 0; k < bytes; k++)
                REQUIRE(((unsigned char *)dangling[i])[k] == QUARANTINE_FILL);
    }
}
END_TEST

START_TEST(a_freed_object_has_no_size) {
    start("on");
    root = alloc_fast(BYTES);
    ck_assert_uint_eq(alloc_usable_bytes(root), BYTES);
    free_fast(root);
    ck_assert_uint_eq(alloc_usable_bytes(root), 0);
}
END_TEST

/* Freeing counts as allocating does: a program that frees everything is marked, too. */
START_TEST(memory_is_bounded) {
    start("on");
    options.min_heap = 4 << 20;
    for (int i = 0; i < 2000000; i++)
        free_fast(alloc_fast(16 + i % 500));
    for (int i = 0; i < 2000; i++)
        free_fast(alloc_fast(LARGE_BYTES));
    ck_assert_uint_gt(cycle_totals().cycles, 10);
    ck_assert_uint_lt(AO_load(&heap.peak), 24 << 20);
    ck_assert_uint_eq(AO_load(&heap.collected), 0);
    collect();
    ck_assert_uint_lt(AO_load(&heap.live), 1 << 20);
    ck_assert_uint_lt(AO_load(&quarantine.bytes), 10000);
}
END_TEST

START_TEST(what_is_lost_is_collected_all_the_same) {
    start("on");
    free_into_globals(BYTES);
    for (int i = 0; i < 100000; i++)
        *(void **)alloc_fast(BYTES) = (void *)1;
    collect();
    ck_assert_uint_lt(AO_load(&heap.live), 100000);
    ck_assert_uint_gt(AO_load(&heap.collected), 100000 * (BYTES - 10));
    ck_assert_uint_eq(quarantined(), OBJECTS);
}
END_TEST

/* What one thread frees, another one has seen; marks go on all the time. Each object tells whose it
 * is, and must go on telling so as long as there is a pointer to it. */
enum { THREADS = 4, SLOTS = 512, TURNS = 200000 };

static struct item { size_t number, check; } *volatile slots[SLOTS];

static void *exchange_and_free(void *context) {
    size_t number = (size_t)context;
    for (int turn = 0; turn < TURNS; turn++) {
        struct item *item = alloc_fast(sizeof *item + turn % 100);
        number += THREADS;
        *item = (struct item){number, ~number};
        struct item *volatile *slot = &slots[number * 2654435761u % SLOTS];
        struct item *old = (struct item *)AO_load((volatile AO_t *)slot);
        REQUIRE(old == NULL || old->number == ~old->check);
        if (!AO_compare_and_swap_full((volatile AO_t *)slot, (AO_t)old, (AO_t)item))
            continue;
        if (old == NULL)
            continue;
        size_t before = old->number;
        free_fast(old);
        if (turn % 64 == 0)
            free_fast(alloc_fast(LARGE_BYTES));
        REQUIRE(old->number == before && old->check == ~before);
    }
    return NULL;
}

START_TEST(many_threads_free_while_marks_go_on) {
    pthread_t threads[THREADS];
    start("on");
    options.gc_every = 1 << 20;
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, exchange_and_free, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_gt(cycle_totals().cycles, 20);
    options.gc_every = 0;
    for (int i = 0; i < SLOTS; i++)
        slots[i] = NULL;
    collect();
    collect();
    ck_assert_uint_lt(AO_load(&quarantine.blocks), 100);
}
END_TEST

START_TEST(a_forked_child_has_it_too) {
    int status;
    start("on");
    free_into_globals(BYTES);
    cycle_before_fork();
    pid_t child = fork();
    cycle_after_fork(child == 0);
    if (child == 0) {
        collect();
        churn(BYTES);
        bool good = quarantined() == OBJECTS && intact(BYTES) == OBJECTS;
        drop_globals();
        collect();
        _exit(good && quarantined() == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(quarantined(), OBJECTS);
}
END_TEST

static void free_twice(size_t bytes) {
    start("on");
    void *object = alloc_fast(bytes);
    free_fast(object);
    free_fast(alloc_fast(bytes));
    free_fast(object);
}

START_TEST(a_double_free_is_told) { free_twice(BYTES); }
END_TEST

START_TEST(a_double_free_of_a_large_object_is_told) { free_twice(LARGE_BYTES); }
END_TEST

START_TEST(resizing_a_freed_object_is_told) {
    start("on");
    void *object = alloc_fast(BYTES);
    free_fast(object);
    root = alloc_resize(object, 2 * BYTES);
}
END_TEST

START_TEST(freeing_the_middle_is_told) {
    start("on");
    free_fast((char *)alloc_fast(BYTES) + 16);
}
END_TEST

START_TEST(what_was_freed_before_it_began_is_as_it_was) {
    void *early = alloc_fast(BYTES);
    free_fast(alloc_fast(BYTES));
    start("on");
    free_fast(early);
    ck_assert(is_quarantined((uintptr_t)early));
    collect();
    ck_assert(is_quarantined((uintptr_t)early));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_global_holds,
        a_global_holds_large_objects,
        an_inner_pointer_holds,
        a_stack_holds,
        an_object_holds,
        a_freed_object_does_not_hold,
        what_nothing_leads_to_comes_back,
        large_objects_come_back,
        nothing_comes_back_before_a_mark,
        what_resizing_leaves_is_freed_like_the_rest,
        objects_are_filled_when_asked,
        a_freed_object_has_no_size,
        memory_is_bounded,
        what_is_lost_is_collected_all_the_same,
        many_threads_free_while_marks_go_on,
        a_forked_child_has_it_too,
        what_was_freed_before_it_began_is_as_it_was,
    };
    const TTest *const fatal[] = {
        a_double_free_is_told,
        a_double_free_of_a_large_object_is_told,
        resizing_a_freed_object_is_told,
        freeing_the_middle_is_told,
    };
    Suite *suite = suite_create("quarantine");
    TCase *all = tcase_create("quarantine"), *aborting = tcase_create("fatal");
    tcase_set_timeout(all, 60);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(all, tests[i]);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        tcase_add_test_raise_signal(aborting, fatal[i], SIGABRT);
    suite_add_tcase(suite, all);
    suite_add_tcase(suite, aborting);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
