/* Running one suite of one case and telling make whether it passed. */
#ifndef TITHE_TEST_SUITE_H
#define TITHE_TEST_SUITE_H

#include <check.h>
#include <stddef.h>

/* A test that is run with _i from 0 to below count. */
struct looped {
    const TTest *test;
    int count;
};

/* Runs a suite and frees it. Returns main's status. */
static inline int suite_finish(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

/* Runs the tests, each in a process of its own unless CK_FORK=no, each within seconds. Returns
 * main's status. */
static inline int suite_run(const char *name, const TTest *const *tests, size_t count,
                            const struct looped *loops, size_t loop_count, double seconds) {
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    tcase_set_timeout(all, seconds);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(all, tests[i]);
    for (size_t i = 0; i < loop_count; i++)
        tcase_add_loop_test(all, loops[i].test, 0, loops[i].count);
    suite_add_tcase(suite, all);
    return suite_finish(suite);
}

/* An assertion for inner loops: libcheck's own make a system call each. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s", #condition);                                                        \
    } while (0)

#define SUITE_RUN(name, tests, seconds)                                                            \
    suite_run(name, tests, sizeof tests / sizeof *tests, NULL, 0, seconds)

#define SUITE_RUN_LOOPS(name, tests, loops, seconds)                                               \
    suite_run(name, tests, sizeof tests / sizeof *tests, loops, sizeof loops / sizeof *loops,      \
              seconds)

#endif
