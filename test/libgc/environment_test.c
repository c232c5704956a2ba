/* libgc's environment variables: each test sets one before the collector starts, and looks for its
 * effect. doc/libgc.md lists those that have none here. */
#include "herd.h"
#include "suite.h"

#include "captured.h"
#include "differences.h"

#include "gc/gc_gcj.h"
#include "gc/gc_mark.h"

#include <sys/wait.h>
#include <unistd.h>

static void start_with(const char *name, const char *value) {
    setenv(name, value, 1);
    GC_INIT();
}

START_TEST(the_heap_begins_as_large) {
    start_with("GC_INITIAL_HEAP_SIZE", "10M");
    ck_assert_uint_ge(GC_get_heap_size(), 10 << 20);
    GC_word cycles = GC_get_gc_no();
    for (int i = 0; i < 50; i++)
        GC_reachable_here(GC_malloc_atomic(100000));
    ck_assert_uint_eq(GC_get_gc_no(), cycles);
}
END_TEST

static void *volatile kept[200];

START_TEST(the_heap_has_a_greatest_size) {
    start_with("GC_MAXIMUM_HEAP_SIZE", "8192k");
    GC_set_warn_proc(ignore_warning);
    int count = 0;
    while (count < 200 && (kept[count] = GC_malloc_atomic(100000)) != NULL)
        count++;
    ck_assert(count > 40 && count < 90);
}
END_TEST

START_TEST(numbers_are_read) {
    setenv("GC_FREE_SPACE_DIVISOR", "7", 1);
    setenv("GC_FULL_FREQUENCY", "5", 1);
    setenv("GC_PAUSE_TIME_TARGET", "9", 1);
    GC_INIT();
    ck_assert_uint_eq(GC_get_free_space_divisor(), 7);
    ck_assert_int_eq(GC_get_full_freq(), 5);
    ck_assert_uint_eq(GC_get_time_limit(), 9);
}
END_TEST

START_TEST(flags_are_read) {
    setenv("GC_ALL_INTERIOR_POINTERS", "1", 1);
    setenv("GC_FORCE_UNMAP_ON_GCOLLECT", "1", 1);
    setenv("GC_USE_ENTIRE_HEAP", "1", 1);
    setenv("GC_FIND_LEAK", "1", 1);
    GC_set_all_interior_pointers(0);
    GC_INIT();
    ck_assert_int_eq(GC_get_all_interior_pointers(), 1);
    ck_assert_int_eq(GC_get_force_unmap_on_gcollect(), 1);
    ck_assert_int_ne(GC_use_entire_heap, 0);
    ck_assert_int_eq(GC_get_find_leak(), 1);
}
END_TEST

START_TEST(collecting_is_switched_off) {
    start_with("GC_DONT_GC", "1");
    ck_assert_int_gt(GC_dont_gc, 0);
    for (int i = 0; i < 100000; i++)
        GC_reachable_here(GC_malloc(200));
    GC_gcollect();
    ck_assert_uint_eq(GC_get_gc_no(), 0);
}
END_TEST

START_TEST(incremental_mode_is_on_from_the_start) {
    start_with("GC_ENABLE_INCREMENTAL", "1");
    ck_assert(GC_is_incremental_mode());
}
END_TEST

START_TEST(incremental_mode_is_forbidden) {
    start_with("GC_DISABLE_INCREMENTAL", "1");
    GC_enable_incremental();
    ck_assert(!GC_is_incremental_mode());
}
END_TEST

START_TEST(markers_are_counted) {
    setenv("GC_MARKERS", _i ? "1" : "2", 1);
    GC_INIT();
    GC_start_mark_threads();
    ck_assert_int_eq(GC_get_parallel(), _i ? 0 : 1);
}
END_TEST

START_TEST(processors_are_counted) {
    start_with("GC_NPROCS", "1");
    GC_start_mark_threads();
    ck_assert_int_eq(GC_get_parallel(), 0);
}
END_TEST

static void collect_once(void) { GC_gcollect(); }

static void start_and_collect(void) {
    GC_INIT();
    GC_gcollect();
}

START_TEST(statistics_are_printed) {
    setenv(_i ? "GC_PRINT_VERBOSE_STATS" : "GC_PRINT_STATS", "1", 1);
    ck_assert_str_ne(captured(STDERR_FILENO, start_and_collect), "");
}
END_TEST

START_TEST(the_address_map_is_printed) {
    setenv("GC_PRINT_ADDRESS_MAP", "1", 1);
    const char *text = captured(STDERR_FILENO, start_and_collect);
    ck_assert(strstr(text, "[stack]") && strstr(text, "libgc"));
}
END_TEST

START_TEST(the_heap_is_dumped_regularly) {
    start_with("GC_DUMP_REGULARLY", "1");
    ck_assert_ptr_nonnull(strstr(captured(STDOUT_FILENO, collect_once), "GC Dump"));
    ck_assert_ptr_nonnull(strstr(captured(STDOUT_FILENO, collect_once), "GC Dump"));
}
END_TEST

static char log_path[] = "/tmp/libgc-log.XXXXXX";

static size_t log_length(void) {
    static char text[1 << 16];
    FILE *file = fopen(log_path, "r");
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = 0;
    fclose(file);
    return strstr(text, "GC Dump") ? length : 0;
}

static void start_and_dump(void) {
    GC_INIT();
    GC_dump();
}

/* The log takes dumps as well, unless it is to be only for the log. */
START_TEST(messages_go_to_a_file) {
    close(mkstemp(log_path));
    setenv("GC_LOG_FILE", log_path, 1);
    if (_i)
        setenv("GC_ONLY_LOG_TO_FILE", "1", 1);
    const char *text = captured(STDOUT_FILENO, start_and_dump);
    ck_assert_int_eq(strstr(text, "GC Dump") != NULL, _i);
    ck_assert_int_eq(log_length() > 0, !_i);
    unlink(log_path);
}
END_TEST

__attribute__((noinline)) static void lose(void) {
    for (int i = 0; i < HERD; i++)
        GC_reachable_here(GC_malloc(20));
}

START_TEST(leaks_end_the_program) {
    int status;
    setenv("GC_FIND_LEAK", "1", 1);
    setenv("GC_ABORT_ON_LEAK", "1", 1);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        GC_INIT();
        lose();
        collect();
        _exit(0);
    }
    waitpid(child, &status, 0);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

START_TEST(aborting_waits_for_a_debugger) {
    int status;
    setenv("GC_LOOP_ON_ABORT", "1", 1);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        GC_INIT();
        for (;;)
            GC_new_kind(GC_new_free_list(), 0, 0, 1);
    }
    usleep(300000);
    ck_assert_int_eq(waitpid(child, &status, WNOHANG), 0);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}
END_TEST

static void **volatile holders[HERD];
static struct herd herd;

__attribute__((noinline)) static void fill(void **table) {
    for (int i = 0; i < HERD; i++) {
        holders[i] = GC_gcj_malloc(40, table);
        holders[i][3] = GC_malloc(16);
        watch(&herd, i, holders[i][3]);
    }
}

static struct GC_ms_entry *mark_nothing(GC_word *object, struct GC_ms_entry *top,
                                        struct GC_ms_entry *limit, GC_word argument) {
    (void)object, (void)limit, (void)argument;
    return top;
}

START_TEST(descriptors_of_gcj_are_ignored) {
    static void *table[2];
    if (_i)
        setenv("GC_IGNORE_GCJ_INFO", "1", 1);
    GC_INIT();
    GC_init_gcj_malloc(GC_GCJ_RESERVED_MARK_PROC_INDEX, (void *)mark_nothing);
    table[1] = (void *)8;
    fill(table);
    collect();
    ck_assert_int_eq(living(&herd) == HERD, _i);
}
END_TEST

/* Variables that only tune what is not there are taken without a word. */
START_TEST(others_do_no_harm) {
    static const char *const names[] = {
        "GC_NO_BLACKLIST_WARNING", "GC_LARGE_ALLOC_WARN_INTERVAL", "GC_UNMAP_THRESHOLD",
        "GC_RETRY_SIGNALS",        "GC_USE_GETWRITEWATCH",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        setenv(names[i], "1", 1);
    ck_assert_str_eq(captured(STDERR_FILENO, start_and_collect), "");
    ck_assert_ptr_nonnull(GC_malloc(100));
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        the_heap_begins_as_large,
        the_heap_has_a_greatest_size,
        numbers_are_read,
        flags_are_read,
        collecting_is_switched_off,
        incremental_mode_is_on_from_the_start,
        incremental_mode_is_forbidden,
        processors_are_counted,
        the_address_map_is_printed,
        the_heap_is_dumped_regularly,
        leaks_end_the_program,
        aborting_waits_for_a_debugger,
        others_do_no_harm,
    };
    const struct looped loops[] = {
        {markers_are_counted, 2},
        {statistics_are_printed, 2},
        {messages_go_to_a_file, 2},
        {descriptors_of_gcj_are_ignored, 2},
    };
    return SUITE_RUN_LOOPS("libgc, environment", once, loops, 60);
}
