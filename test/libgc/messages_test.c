/* What a program is told: leaks at its end, damage, memory that is wanting, settings that are
 * wrong. Each in a process of its own, of which standard error is read.
 */
#include "herd.h"
#include "suite.h"

#include "differences.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MOST = 1 << 16, LEAKS = 10 };

static char said[SAID_MOST];

/* What the function writes to standard error, and what is written at the exit after it. */
static void listen_to(void (*function)(void)) {
    int file = memfd_create("said", 0), status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(file, STDERR_FILENO);
        function();
        exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ssize_t length = pread(file, said, sizeof said - 1, 0);
    said[length > 0 ? length : 0] = 0;
    close(file);
}

static bool says(const char *text) { return strstr(said, text) != NULL; }

static int times_said(const char *text) {
    int times = 0;
    for (const char *at = said; (at = strstr(at, text)) != NULL; at++)
        times++;
    return times;
}

/* Leaks. */

__attribute__((noinline)) static void lose(bool debugging) {
    for (int i = 0; i < LEAKS; i++) {
        void *object = debugging ? GC_debug_malloc(20 + i, "lost.c", 7) : GC_malloc(20 + i);
        memset(object, 1, 20);
    }
}

static void lose_and_end(void) {
    GC_set_find_leak(1);
    GC_INIT();
    lose(true);
    clear_stack();
}

static void lose_plain_and_end(void) {
    setenv("GC_FIND_LEAK", "1", 1);
    GC_INIT();
    lose(false);
    clear_stack();
}

static void end_without_looking(void) {
    GC_INIT();
    lose(true);
    clear_stack();
}

START_TEST(leaks_are_told_at_the_end) {
    listen_to(lose_and_end);
    ck_assert(says("Found 10 leaked objects"));
    ck_assert_int_eq(times_said("lost.c:7, sz= 2"), LEAKS);
    if (differs(MANY_LEAKS_ARE_TOLD))
        ck_assert_int_eq(times_said("Leaked composite object at 0x"), LEAKS);
}
END_TEST

START_TEST(plain_leaks_are_told_at_the_end) {
    listen_to(lose_plain_and_end);
    ck_assert(says("Found 10 leaked objects"));
    ck_assert_int_eq(times_said("object at 0x"), LEAKS);
    ck_assert_int_eq(times_said("(composite)"), LEAKS);
}
END_TEST

START_TEST(nothing_is_told_unless_asked_for) {
    listen_to(end_without_looking);
    ck_assert_str_eq(said, "");
}
END_TEST

/* Damage. */

static char *kept[3];
static volatile size_t past = 24;

static void write_past_ends(void) {
    GC_set_find_leak(1);
    GC_INIT();
    for (int i = 0; i < 3; i++) {
        kept[i] = GC_debug_malloc(24, "smashed.c", 9);
        kept[i][past] = 1;
    }
    GC_gcollect();
    GC_gcollect();
    _exit(0);
}

START_TEST(damage_is_told) {
    listen_to(write_past_ends);
    ck_assert(says("found 3 smashed"));
    ck_assert_int_ge(times_said("smashed.c:9"), 3);
}
END_TEST

static void free_twice(void) {
    GC_INIT();
    kept[0] = GC_debug_malloc(24, "freed.c", 9);
    GC_debug_free(kept[0]);
    GC_debug_free(kept[0]);
    _exit(0);
}

START_TEST(freeing_twice_is_told) {
    listen_to(free_twice);
    ck_assert(says("found previously deallocated"));
}
END_TEST

/* Warnings. */

static int warnings, warnings_at_refusal;
static char last_warning[256];

static void count_warning(char *message, GC_word word) {
    warnings++;
    snprintf(last_warning, sizeof last_warning, message, word);
}

static void *refuse(size_t bytes) {
    (void)bytes;
    warnings_at_refusal = warnings;
    return NULL;
}

static bool is_warning(void) { return strncmp(last_warning, "GC Warning: ", 12) == 0; }

START_TEST(memory_that_is_wanting_is_warned_of) {
    void **chain = NULL, **next;
    GC_set_max_heap_size(16 << 20);
    GC_INIT();
    GC_set_warn_proc(count_warning);
    GC_set_oom_fn(refuse);
    for (int i = 0; i < 30000 && (next = GC_malloc(1000)) != NULL; i++) {
        *next = chain;
        chain = next;
    }
    ck_assert_int_ge(warnings_at_refusal, 1);
    ck_assert(is_warning());
    warnings = warnings_at_refusal = 0;
    ck_assert_ptr_null(GC_malloc((size_t)1 << 40));
    ck_assert_int_ge(warnings_at_refusal, 1);
    GC_reachable_here(chain);
}
END_TEST

static const char *const wrong[][2] = {
    {"GC_INITIAL_HEAP_SIZE", "abc"},
    {"GC_INITIAL_HEAP_SIZE", "0"},
    {"GC_INITIAL_HEAP_SIZE", "10x"},
    {"GC_MAXIMUM_HEAP_SIZE", "abc"},
    {"GC_MARKERS", "0"},
    {"GC_MARKERS", "abc"},
    {"GC_MARKERS", "-3"},
    {"GC_MARKERS", "1000"},
};

static void start_and_end(void) {
    GC_INIT();
    GC_allow_register_threads();
    _exit(0);
}

START_TEST(wrong_settings_are_warned_of) {
    setenv(wrong[_i][0], wrong[_i][1], 1);
    listen_to(start_and_end);
    ck_assert(says("GC Warning: "));
}
END_TEST

static const char *const right[][2] = {
    {"GC_INITIAL_HEAP_SIZE", "1M"},
    {"GC_INITIAL_HEAP_SIZE", "1000000"},
    {"GC_MAXIMUM_HEAP_SIZE", "1g"},
    {"GC_MARKERS", "1"},
    {"GC_MARKERS", "2"},
};

START_TEST(right_settings_are_not) {
    setenv(right[_i][0], right[_i][1], 1);
    listen_to(start_and_end);
    ck_assert_str_eq(said, "");
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        leaks_are_told_at_the_end,
        plain_leaks_are_told_at_the_end,
        nothing_is_told_unless_asked_for,
        damage_is_told,
        freeing_twice_is_told,
        memory_that_is_wanting_is_warned_of,
    };
    const struct looped loops[] = {
        {wrong_settings_are_warned_of, sizeof wrong / sizeof *wrong},
        {right_settings_are_not, sizeof right / sizeof *right},
    };
    return SUITE_RUN_LOOPS("libgc, messages", once, loops, 60);
}
