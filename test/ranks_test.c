/* The witness of locks: what is in order goes on, and what is not ends the process. Only in a build
 * with --enable-ranks. */
#include "suite.h"

#include "os/altstack.h"
#include "os/park.h"

#include <signal.h>
#include <stdlib.h>

static struct lock first = LOCK_OF(RANK_REGISTRY), later = LOCK_OF(RANK_PAGES);
static struct lock row[2] = {LOCK_OF(RANK_SETS), LOCK_OF(RANK_SETS)};

START_TEST(locks_are_taken_in_order) {
    lock_take(&first);
    lock_take(&row[0]);
    lock_take(&row[1]);
    lock_take(&later);
    lock_give(&row[0]); /* given in any order */
    lock_give(&later);
    lock_give(&row[1]);
    lock_take(&later);
    lock_give(&later);
    lock_give(&first);
    rank_expect_none("the end of the test");
}
END_TEST

START_TEST(an_earlier_lock_ends_the_process) {
    lock_take(&later);
    lock_take(&first);
}
END_TEST

START_TEST(the_same_lock_ends_the_process) {
    lock_take(&first);
    lock_take(&first);
}
END_TEST

START_TEST(a_row_against_its_order_ends_the_process) {
    lock_take(&row[1]);
    lock_take(&row[0]);
}
END_TEST

START_TEST(what_was_tried_counts) {
    ck_assert(lock_try(&later));
    lock_take(&first);
}
END_TEST

START_TEST(a_lock_that_is_not_held_ends_the_process) { lock_give(&first); }
END_TEST

START_TEST(functions_of_libcs_are_called_without_locks) {
    lock_take(&first);
    rank_expect_none("a function of libc's");
}
END_TEST

static char other_stack[1 << 20];

static void take_one(void *lock) {
    lock_take(lock);
    lock_give(lock);
}

static void take_elsewhere(void) {
    uintptr_t stack_pointer;
    section_enter();
    altstack_call((uintptr_t)other_stack + sizeof other_stack - 64, take_one, &first,
                  &stack_pointer);
    section_leave();
}

START_TEST(a_lock_on_another_stack_ends_the_process) { take_elsewhere(); }
END_TEST

START_TEST(on_another_stack_all_signals_are_blocked) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    take_elsewhere();
}
END_TEST

int main(void) {
    const TTest *const good[] = {locks_are_taken_in_order,
                                 on_another_stack_all_signals_are_blocked};
    const TTest *const bad[] = {
        an_earlier_lock_ends_the_process,         the_same_lock_ends_the_process,
        a_row_against_its_order_ends_the_process, what_was_tried_counts,
        a_lock_that_is_not_held_ends_the_process, functions_of_libcs_are_called_without_locks,
        a_lock_on_another_stack_ends_the_process,
    };
    Suite *suite = suite_create("ranks");
    TCase *all = tcase_create("ranks");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        tcase_add_test(all, good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        tcase_add_test_raise_signal(all, bad[i], SIGABRT);
    suite_add_tcase(suite, all);
    return suite_finish(suite);
}
