/* What threads return: there until they are joined, however late, and garbage after that. */
#include "herd.h"
#include "suite.h"

#include "differences.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 40, WORDS = 8, REUSED_STACK = 256 << 10 };

static struct herd herd;
static volatile int ended;

/* An object that only the caller's result will lead to; the number is in its last word. */
__attribute__((noinline)) static void *make(long number) {
    long *object = GC_malloc(WORDS * sizeof(long));
    object[WORDS - 1] = ~number;
    watch(&herd, number, object);
    return object;
}

static void *with_result(void *number) {
    void *result = make((long)number);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
    return result;
}

static void *with_interior_result(void *number) { return (char *)with_result(number) + 20; }

static void *exiting(void *number) {
    GC_pthread_exit(with_result(number));
    return NULL;
}

static void *exiting_behind_our_back(void *number) { pthread_exit(with_result(number)); }

static void *cancelled_with_result(void *number) {
    void *result = with_result(number);
    for (;;)
        pause();
    return result;
}

static void *registering(void *number) {
    struct GC_stack_base base;
    GC_get_stack_base(&base);
    GC_register_my_thread(&base);
    void *result = with_result(number);
    GC_unregister_my_thread();
    return result;
}

static pthread_t threads[THREADS];

static void start(void *(*function)(void *), bool by_libgc, const pthread_attr_t *attributes) {
    ended = 0;
    for (long i = 0; i < THREADS; i++) {
        int failure = by_libgc ? GC_pthread_create(&threads[i], attributes, function, (void *)i)
                               : pthread_create(&threads[i], attributes, function, (void *)i);
        ck_assert_int_eq(failure, 0);
    }
    while (ended < THREADS)
        usleep(1000);
    usleep(20000);
}

static int living_results(void) {
    int count = 0;
    for (int i = 0; i < THREADS; i++)
        count += herd.links[i] != NULL;
    return count;
}

/* Overwrites what was freed by mistake. */
__attribute__((noinline)) static void collect_and_allocate(void) {
    collect();
    for (int i = 0; i < 20000; i++)
        memset(GC_malloc(WORDS * sizeof(long)), 0, WORDS * sizeof(long));
    collect();
}

static int join_by_libgc(pthread_t thread, void **result) {
    return GC_pthread_join(thread, result);
}
static int join_behind_our_back(pthread_t thread, void **result) {
    return pthread_join(thread, result);
}

static int join_by_trying(pthread_t thread, void **result) {
    int failure;
    while ((failure = pthread_tryjoin_np(thread, result)) != 0)
        usleep(1000);
    return failure;
}

static int join_in_time(pthread_t thread, void **result) {
    struct timespec limit = {time(NULL) + 10, 0};
    return pthread_timedjoin_np(thread, result, &limit);
}

static int join_by_clock(pthread_t thread, void **result) {
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += 10;
    return pthread_clockjoin_np(thread, result, CLOCK_MONOTONIC, &limit);
}

/* Sees to it that no address stays in its caller's frame. */
__attribute__((noinline)) static void join_and_check(int (*join)(pthread_t, void **), int i,
                                                     size_t offset) {
    char *result;
    ck_assert_int_eq(join(threads[i], (void **)&result), 0);
    ck_assert_int_eq(((long *)(result - offset))[WORDS - 1], ~(long)i);
}

static void join_all(int (*join)(pthread_t, void **), size_t offset) {
    for (int i = 0; i < THREADS; i++)
        join_and_check(join, i, offset);
}

struct way {
    void *(*function)(void *);
    int (*join)(pthread_t, void **);
    size_t offset;
    bool by_libgc; /* created by GC_pthread_create */
    bool only_ours;
};

static const struct way ways[] = {
    {with_result, join_by_libgc, 0, true, false},
    {with_interior_result, join_by_libgc, 20, true, false},
    {exiting, join_by_libgc, 0, true, true},
    {with_result, join_by_trying, 0, true, false},
    {with_result, join_in_time, 0, true, false},
    {with_result, join_by_clock, 0, true, false},
    {with_result, join_behind_our_back, 0, true, false},
    {exiting_behind_our_back, join_by_libgc, 0, true, true},
    {registering, join_behind_our_back, 0, false, true},
    {registering, join_by_libgc, 0, false, true},
    {with_result, join_behind_our_back, 0, false, true},
    {exiting_behind_our_back, join_by_trying, 0, false, true},
};

static bool begin(const struct way *way) {
    if (way->only_ours && !differs(RESULTS_OF_ALL_THREADS))
        return false;
    GC_INIT();
    GC_allow_register_threads();
    return true;
}

START_TEST(results_are_kept_until_they_are_joined) {
    const struct way *way = &ways[_i];
    if (!begin(way))
        return;
    start(way->function, way->by_libgc, NULL);
    collect_and_allocate();
    ck_assert_int_eq(living_results(), THREADS);
    join_all(way->join, way->offset);
}
END_TEST

/* Not for those whose joins Debian's library cannot know of. */
START_TEST(joined_results_are_garbage) {
    const struct way *way = &ways[_i];
    if (!begin(way) || (way->join != join_by_libgc && !differs(RESULTS_OF_ALL_THREADS)))
        return;
    start(way->function, way->by_libgc, NULL);
    join_all(way->join, way->offset);
    collect_and_allocate();
    ck_assert_int_le(living_results(), THREADS / 4);
}
END_TEST

START_TEST(results_of_detached_threads_are_garbage) {
    pthread_attr_t detached;
    GC_INIT();
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    start(with_result, true, &detached);
    collect_and_allocate();
    ck_assert_int_le(living_results(), THREADS / 4);
}
END_TEST

START_TEST(detaching_what_has_ended_gives_its_result_up) {
    GC_INIT();
    start(with_result, true, NULL);
    collect_and_allocate();
    ck_assert_int_eq(living_results(), THREADS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(GC_pthread_detach(threads[i]), 0);
    collect_and_allocate();
    ck_assert_int_le(living_results(), THREADS / 4);
}
END_TEST

START_TEST(a_cancelled_thread_has_no_result) {
    void *result;
    GC_INIT();
    start(cancelled_with_result, true, NULL);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(GC_pthread_cancel(threads[i]), 0);
    usleep(50000);
    collect_and_allocate();
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(GC_pthread_join(threads[i], &result), 0);
        ck_assert_ptr_eq(result, PTHREAD_CANCELED);
    }
    collect_and_allocate();
    ck_assert_int_le(living_results(), THREADS / 4);
}
END_TEST

/* libc gives the descriptors of joined threads to new ones at once; those that stay unjoined keep
 * their results through all of it. */
START_TEST(handles_are_used_again) {
    GC_INIT();
    start(with_result, true, NULL);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < THREADS; i += 2) {
            join_and_check(join_by_libgc, i, 0);
            GC_pthread_create(&threads[i], NULL, with_result, (void *)(long)i);
        }
        usleep(20000);
        collect_and_allocate();
        ck_assert_int_eq(living_results(), THREADS);
    }
    join_all(join_by_libgc, 0);
}
END_TEST

/* The descriptor then lies at the end of the program's memory, which it may use for something else
 * once the thread is joined. */
START_TEST(stacks_of_the_program) {
    static char stacks[THREADS][REUSED_STACK] __attribute__((aligned(4096)));
    if (!differs(RESULTS_OF_ALL_THREADS))
        return;
    GC_INIT();
    for (int round = 0; round < 2; round++) {
        ended = 0;
        for (long i = 0; i < THREADS; i++) {
            pthread_attr_t attributes;
            pthread_attr_init(&attributes);
            pthread_attr_setstack(&attributes, stacks[i], sizeof stacks[i]);
            ck_assert_int_eq(GC_pthread_create(&threads[i], &attributes, with_result, (void *)i),
                             0);
        }
        while (ended < THREADS)
            usleep(1000);
        collect_and_allocate();
        ck_assert_int_eq(living_results(), THREADS);
        join_all(join_behind_our_back, 0);
        memset(stacks, 0, sizeof stacks);
        collect_and_allocate();
    }
    ck_assert_int_le(living_results(), THREADS / 4);
}
END_TEST

static pthread_t main_thread;

static void *joins_main(void *unused) {
    void *result;
    usleep(50000);
    collect_and_allocate();
    pthread_join(main_thread, &result);
    _exit(((long *)result)[WORDS - 1] == ~0l ? 0 : 1);
    return unused;
}

START_TEST(the_result_of_main) {
    int status;
    if (!differs(RESULTS_OF_ALL_THREADS))
        return;
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        GC_INIT();
        main_thread = pthread_self();
        GC_pthread_create(&thread, NULL, joins_main, NULL);
        pthread_exit(make(0));
    }
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void) {
    const TTest *tests[] = {
        results_of_detached_threads_are_garbage,
        detaching_what_has_ended_gives_its_result_up,
        a_cancelled_thread_has_no_result,
        handles_are_used_again,
        stacks_of_the_program,
        the_result_of_main,
    };
    const struct looped loops[] = {
        {results_are_kept_until_they_are_joined, sizeof ways / sizeof *ways},
        {joined_results_are_garbage, sizeof ways / sizeof *ways},
    };
    return SUITE_RUN_LOOPS("libgc, results of threads", tests, loops, 60);
}
