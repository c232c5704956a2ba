/* What the stop does for each thread and each map does not grow with how many there are. */
#include "suite.h"

#include "heap/layout.h"
#include "os/clock.h"
#include "roots/exceptions.h"
#include "roots/ranges.h"
#include "roots/sorting.h"
#include "roots/stacks.h"
#include "thread/thread.h"

#include <stdint.h>
#include <stdlib.h>

enum { FEW = 100, MANY = 20000, ASKED = 2000, TRIES = 30, MOST_GROWTH = 60 };

struct pair {
    uintptr_t key, other;
};

static size_t comparisons;

static bool is_lower(const void *one, const void *other) {
    comparisons++;
    return ((const struct pair *)one)->key < ((const struct pair *)other)->key;
}

enum shape { RISING, FALLING, SAWTOOTH, EQUAL, RANDOM, SHAPES };

static uintptr_t key_of(enum shape shape, size_t i, size_t count) {
    switch (shape) {
    case RISING:
        return i;
    case FALLING:
        return count - i;
    case SAWTOOTH:
        return i % 100;
    case EQUAL:
        return 7;
    default:
        return (uintptr_t)random();
    }
}

static size_t logarithm(size_t count) { return 64 - __builtin_clzl(count); }

static void sort_and_check(enum shape shape, size_t count) {
    struct pair *list = malloc((count + 1) * sizeof *list);
    uintptr_t keys = 0, others = 0;
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct pair){key_of(shape, i, count), i};
        keys += list[i].key;
    }
    list[count] = (struct pair){0, 0xfeed};
    comparisons = 0;
    sort_in_place(list, count, sizeof *list, is_lower);
    REQUIRE(comparisons <= 2 * count * logarithm(count + 1) + 3 * count);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(i == 0 || list[i - 1].key <= list[i].key);
        keys -= list[i].key;
        others += list[i].other;
    }
    ck_assert_uint_eq(keys, 0);
    ck_assert_uint_eq(others, count > 0 ? count * (count - 1) / 2 : 0);
    ck_assert_uint_eq(list[count].other, 0xfeed);
    free(list);
}

START_TEST(a_list_is_put_in_order_in_n_log_n_steps) {
    static const size_t counts[] = {0, 1, 2, 3, 10, 1000, 50000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (enum shape shape = 0; shape < SHAPES; shape++)
            sort_and_check(shape, counts[i]);
}
END_TEST

/* Records of threads that nobody runs, with stacks of 64 KiB between which as much is free. */
enum { FIRST_ID = 1 << 24, STACK_BYTES = 64 << 10 };
static const uintptr_t first_stack = (uintptr_t)1 << 40;

static uintptr_t stack_of(int i) { return first_stack + (uintptr_t)i * 2 * STACK_BYTES; }

static void add_records(int from, int to) {
    lock_take(&thread_registry_lock);
    for (int i = from; i < to; i++) {
        struct thread *thread = thread_adopt(FIRST_ID + i);
        ck_assert_ptr_nonnull(thread);
        thread->stack_low = stack_of(i);
        thread->stack_high = stack_of(i) + STACK_BYTES;
        thread->stack_pointer = stack_of(i) + STACK_BYTES / 2;
    }
    lock_give(&thread_registry_lock);
}

static void drop_records(int from, int to, int step) {
    lock_take(&thread_registry_lock);
    for (int i = from; i < to; i += step)
        AO_int_store(&thread_by_id(FIRST_ID + i)->state, THREAD_GONE);
    thread_drop_gone();
    lock_give(&thread_registry_lock);
}

START_TEST(a_record_is_found_by_its_id_however_many_there_are) {
    ck_assert(heap_start());
    add_records(0, MANY);
    for (int i = 0; i < MANY; i++)
        REQUIRE(thread_by_id(FIRST_ID + i)->tid == FIRST_ID + i);
    ck_assert_ptr_null(thread_by_id(FIRST_ID + MANY));
    drop_records(0, MANY, 3);
    for (int i = 0; i < MANY; i++)
        REQUIRE((thread_by_id(FIRST_ID + i) == NULL) == (i % 3 == 0));
    ck_assert_uint_eq(thread_count(), MANY - (MANY + 2) / 3);
}
END_TEST

/* Its id may come again before its record is dropped. */
START_TEST(a_thread_is_not_taken_for_one_that_is_gone) {
    ck_assert(heap_start());
    add_records(0, 1);
    struct thread *gone = thread_by_id(FIRST_ID);
    AO_int_store(&gone->state, THREAD_GONE);
    add_records(0, 1);
    struct thread *here = thread_by_id(FIRST_ID);
    ck_assert(here != gone);
    add_records(1, FEW); /* the table grows */
    ck_assert_ptr_eq(thread_by_id(FIRST_ID), here);
    lock_take(&thread_registry_lock);
    thread_drop_gone();
    lock_give(&thread_registry_lock);
    ck_assert_ptr_eq(thread_by_id(FIRST_ID), here);
    ck_assert_uint_eq(thread_count(), FEW);
}
END_TEST

START_TEST(one_that_collects_is_found_by_the_id_it_gets_later) {
    ck_assert(heap_start());
    lock_take(&thread_registry_lock);
    struct thread *collector = thread_add_collector();
    collector->tid = FIRST_ID;
    ck_assert_ptr_eq(thread_by_id(FIRST_ID), collector);
    ck_assert_uint_eq(thread_count_of_program(), 0);
    AO_int_store(&collector->state, THREAD_GONE); /* as in the child of a fork */
    thread_drop_gone();
    ck_assert_ptr_null(thread_by_id(FIRST_ID));
    ck_assert_uint_eq(thread_count_of_program(), 0);
    ck_assert_uint_eq(thread_count(), 0);
    lock_give(&thread_registry_lock);
}
END_TEST

static void find_all(void) {
    ck_assert(stacks_make_room(thread_count()) && exceptions_make_room(thread_count()));
    stacks_find();
    exceptions_find(true);
}

/* The last of some ask for each stack what a walk asks for each map. */
static void ask(int i) {
    uintptr_t low = stack_of(i), live = low + STACK_BYTES / 2, high = low + STACK_BYTES;
    const struct exception *dead = exceptions_behind(low, high);
    REQUIRE(stacks_hold_pointer(low, high) && !stacks_hold_pointer(high, high + STACK_BYTES));
    REQUIRE(stacks_overlap(live + 4096, live + 8192) && !stacks_overlap(high, high + STACK_BYTES));
    REQUIRE(dead && dead->start == low && dead->end == live && dead->skipped);
    const struct exception *alive = exceptions_next(dead, high);
    REQUIRE(alive && alive->start == live && alive->end == high && !alive->skipped);
    REQUIRE(exceptions_next(alive, high) == NULL);
    REQUIRE(exceptions_behind(high, high + STACK_BYTES) == NULL);
}

/* The least of several tries, since others have the processor, too. */
static long long time_of_asking(int count) {
    long long least = INT64_MAX;
    for (int try = 0; try < TRIES; try++) {
        long long begun = clock_thread_nanoseconds();
        for (int i = 0; i < ASKED; i++)
            ask((i * 7919) % count);
        long long took = clock_thread_nanoseconds() - begun;
        least = took < least ? took : least;
    }
    return least;
}

START_TEST(a_map_costs_the_same_with_few_threads_and_many) {
    ck_assert(heap_start());
    add_records(0, FEW);
    find_all();
    long long few = time_of_asking(FEW);
    add_records(FEW, MANY);
    find_all();
    long long many = time_of_asking(MANY);
    ck_assert_int_lt(many, few * MOST_GROWTH); /* a walk over all: more than two hundred times */
}
END_TEST

/* Threads and ranges that are told come in any order and may lie in each other. */
START_TEST(what_is_passed_over_is_in_order_and_does_not_overlap) {
    ck_assert(heap_start());
    add_records(0, FEW);
    uintptr_t bytes = STACK_BYTES;
    for (int i = FEW - 1; i >= 0; i -= 2)
        ck_assert(roots_exclude(stack_of(i) + bytes, stack_of(i) + bytes + bytes / 2));
    ck_assert(roots_exclude(stack_of(1) + bytes / 4, stack_of(1) + bytes / 3));     /* dead */
    ck_assert(roots_exclude(stack_of(2) + bytes / 3, stack_of(2) + bytes / 4 * 3)); /* it counts */
    find_all();
    uintptr_t before = 0;
    size_t count = 0, alive = 0;
    const struct exception *exception = exceptions_behind(0, UINTPTR_MAX);
    for (; exception; exception = exceptions_next(exception, UINTPTR_MAX)) {
        ck_assert(before <= exception->start && exception->start < exception->end);
        before = exception->end;
        count += exception->start >= first_stack && exception->end <= stack_of(FEW);
        alive += !exception->skipped;
    }
    ck_assert_uint_eq(alive, FEW);
    ck_assert_uint_eq(count, FEW * 2 + FEW / 2);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_list_is_put_in_order_in_n_log_n_steps,
        a_record_is_found_by_its_id_however_many_there_are,
        a_thread_is_not_taken_for_one_that_is_gone,
        one_that_collects_is_found_by_the_id_it_gets_later,
        a_map_costs_the_same_with_few_threads_and_many,
        what_is_passed_over_is_in_order_and_does_not_overlap,
    };
    return SUITE_RUN("scale", tests, 60);
}
