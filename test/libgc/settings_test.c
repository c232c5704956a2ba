/* Settings: their defaults, what they are after they were set, and what they do; messages. */
#include "herd.h"
#include "suite.h"

#include "captured.h"
#include "differences.h"

#include "gc/gc_mark.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

/* Exported, but not in the installed headers. */
void GC_printf(const char *format, ...);
void GC_log_printf(const char *format, ...);
void GC_err_printf(const char *format, ...);

/* Setters and getters of all number types, as of words. */
#define NUMBER(type, name)                                                                         \
    static void set_##name(GC_word value) { GC_set_##name((type)value); }                          \
    static GC_word get_##name(void) { return (GC_word)GC_get_##name(); }

NUMBER(int, dont_expand)
NUMBER(int, dont_precollect)
NUMBER(int, full_freq)
NUMBER(int, no_dls)
NUMBER(int, rate)
NUMBER(int, max_prior_attempts)
NUMBER(int, find_leak)
NUMBER(GC_word, non_gc_bytes)
NUMBER(GC_word, free_space_divisor)
NUMBER(GC_word, max_retries)
NUMBER(GC_word, allocd_bytes_per_finalizer)
NUMBER(size_t, min_bytes_allocd)
NUMBER(unsigned long, time_limit)

static const struct number {
    void (*set)(GC_word value);
    GC_word (*get)(void);
    GC_word first, other;
} numbers[] = {
    {set_dont_expand, get_dont_expand, 0, 1},
    {set_dont_precollect, get_dont_precollect, 0, 1},
    {set_full_freq, get_full_freq, 19, 3},
    {set_no_dls, get_no_dls, 0, 1},
    {set_rate, get_rate, 10, 20},
    {set_max_prior_attempts, get_max_prior_attempts, 1, 4},
    {set_find_leak, get_find_leak, 0, 1},
    {set_non_gc_bytes, get_non_gc_bytes, 0, 4096},
    {set_free_space_divisor, get_free_space_divisor, 3, 8},
    {set_max_retries, get_max_retries, 0, 2},
    {set_allocd_bytes_per_finalizer, get_allocd_bytes_per_finalizer, 10000, 100},
    {set_min_bytes_allocd, get_min_bytes_allocd, 1, 1024},
    {set_time_limit, get_time_limit, GC_TIME_UNLIMITED, 50},
};

enum { NUMBERS = sizeof numbers / sizeof *numbers };

START_TEST(numbers_have_their_default_and_are_kept) {
    const struct number *number = &numbers[_i];
    static void *volatile object;
    ck_assert_uint_eq(number->get(), number->first);
    GC_INIT();
    ck_assert_uint_eq(number->get(), number->first);
    number->set(number->other);
    ck_assert_uint_eq(number->get(), number->other);
    object = memset(GC_malloc(16), 1, 16);
    GC_gcollect();
    ck_assert_int_eq(*(char *)object, 1);
    ck_assert_uint_eq(number->get(), number->other);
    number->set(number->first);
    ck_assert_uint_eq(number->get(), number->first);
}
END_TEST

START_TEST(the_time_limit_has_two_parts) {
    GC_INIT();
    struct GC_timeval_s limit = GC_get_time_limit_tv();
    ck_assert(limit.tv_ms == GC_TIME_UNLIMITED && limit.tv_nsec == 0);
    GC_set_time_limit_tv((struct GC_timeval_s){7, 500});
    limit = GC_get_time_limit_tv();
    ck_assert(limit.tv_ms == 7 && limit.tv_nsec == 500);
    ck_assert_uint_eq(GC_get_time_limit(), 7);
    ck_assert_uint_eq(GC_time_limit, 7);
}
END_TEST

/* Objects that stay, so that there is something to divide, and garbage. */
static void *volatile kept[64];

static GC_word cycles_with(GC_word divisor) {
    GC_set_free_space_divisor(divisor);
    for (int i = 0; i < 64; i++)
        kept[i] = GC_malloc(64000);
    GC_gcollect();
    GC_word before = GC_get_gc_no();
    for (int i = 0; i < 60000; i++)
        GC_reachable_here(GC_malloc(1000));
    return GC_get_gc_no() - before;
}

START_TEST(a_greater_divisor_collects_more_often) {
    GC_INIT();
    GC_word few = cycles_with(1), many = cycles_with(100);
    ck_assert_uint_gt(many, few);
}
END_TEST

enum { TEXTS = 120000, TEXT_BYTES = 1000 };
static void *volatile texts[TEXTS];

/* Twice as many objects as stay are replaced. */
static GC_word cycles_of(void *(*make)(size_t bytes)) {
    for (int i = 0; i < TEXTS; i++)
        texts[i] = make(TEXT_BYTES);
    GC_gcollect();
    GC_gcollect();
    GC_word before = GC_get_gc_no();
    for (int i = 0; i < 2 * TEXTS; i++)
        texts[i % TEXTS] = make(TEXT_BYTES);
    return GC_get_gc_no() - before;
}

START_TEST(texts_let_the_heap_grow_by_less_than_lists) {
    GC_INIT();
    GC_word with_texts = cycles_of(GC_malloc_atomic), with_lists = cycles_of(GC_malloc);
    ck_assert_uint_ge(with_texts, with_lists + with_lists / 2);
}
END_TEST

static GC_word cycles_within(size_t kilobytes) {
    GC_word before = GC_get_gc_no();
    for (size_t i = 0; i < kilobytes; i++)
        GC_reachable_here(GC_malloc(1000));
    return GC_get_gc_no() - before;
}

START_TEST(so_much_is_allocated_between_collections) {
    GC_INIT();
    GC_gcollect();
    GC_set_min_bytes_allocd(100 << 20);
    ck_assert_uint_eq(cycles_within(60000), 0);
    ck_assert_uint_gt(cycles_within(400000), 0);
    GC_set_min_bytes_allocd(1);
    GC_gcollect();
    ck_assert_uint_gt(cycles_within(400000), 0);
}
END_TEST

START_TEST(the_first_collection_may_be_left_out) {
    GC_set_dont_precollect(1);
    GC_INIT();
    ck_assert_uint_eq(GC_get_gc_no(), 0);
    GC_gcollect();
    ck_assert_uint_eq(GC_get_gc_no(), 1);
}
END_TEST

START_TEST(signals_are_chosen_before_the_start) {
    if (differs(ONE_STOP_SIGNAL))
        ck_assert_int_ge(GC_get_suspend_signal(), SIGRTMIN);
    else
        ck_assert_int_eq(GC_get_suspend_signal(), SIGPWR);
    ck_assert_int_eq(GC_get_thr_restart_signal(), SIGXCPU);
    GC_set_suspend_signal(SIGRTMIN + 7);
    GC_set_thr_restart_signal(SIGRTMIN + 8);
    GC_INIT();
    ck_assert_int_eq(GC_get_suspend_signal(), SIGRTMIN + 7);
    ck_assert_int_eq(GC_get_thr_restart_signal(), SIGRTMIN + 8);
    GC_gcollect();
    struct sigaction action;
    sigaction(SIGRTMIN + 7, NULL, &action);
    ck_assert(action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
    sigaction(SIGPWR, NULL, &action);
    ck_assert(action.sa_handler == SIG_DFL);
}
END_TEST

START_TEST(signals_are_the_programs_unless_they_stop_threads) {
    struct sigaction action;
    GC_INIT();
    GC_gcollect();
    sigaction(SIGPWR, NULL, &action);
    ck_assert_int_eq(action.sa_handler == SIG_DFL, differs(ONE_STOP_SIGNAL));
}
END_TEST

static char *warned;
static GC_word warned_of;

static void note_warning(char *message, GC_word word) {
    warned = message;
    warned_of = word;
}

static void *looped_object;
static void do_nothing(void *object, void *data) { (void)object, (void)data; }

__attribute__((noinline)) static void make_loops(void) {
    for (int i = 0; i < HERD; i++) {
        void **object = GC_malloc(32);
        object[0] = looped_object = object;
        GC_register_finalizer(object, do_nothing, NULL, NULL, NULL);
    }
    looped_object = NULL;
}

static void warn_by_default(void) {
    make_loops();
    collect();
}

START_TEST(warnings_go_where_the_program_says) {
    GC_INIT();
    GC_warn_proc before = GC_get_warn_proc();
    ck_assert_ptr_nonnull(strstr(captured(STDERR_FILENO, warn_by_default), "Finalization cycle"));
    GC_set_warn_proc(note_warning);
    ck_assert(GC_get_warn_proc() == note_warning);
    warn_by_default();
    ck_assert_ptr_nonnull(strstr(warned, "%p"));
    ck_assert_ptr_nonnull(GC_base((void *)warned_of));
    GC_set_warn_proc(GC_ignore_warn_proc);
    ck_assert_str_eq(captured(STDERR_FILENO, warn_by_default), "");
    GC_set_warn_proc(before);
}
END_TEST

static void warn_directly(void) { GC_ignore_warn_proc("nobody sees %p\n", 5); }

START_TEST(a_procedure_ignores_warnings) {
    GC_INIT();
    ck_assert_str_eq(captured(STDERR_FILENO, warn_directly), "");
}
END_TEST

static void print_all(void) {
    GC_printf("printed %d\n", 1);
    GC_err_printf("erred %d\n", 2);
}

static void print_log(void) { GC_log_printf("logged %d\n", 3); }

START_TEST(messages_go_to_their_files) {
    char text[100] = "";
    int file = memfd_create("log", 0);
    GC_INIT();
    ck_assert_str_eq(captured(STDOUT_FILENO, print_all), "printed 1\n");
    ck_assert_str_eq(captured(STDERR_FILENO, print_all), "erred 2\n");
    GC_set_log_fd(file);
    print_log();
    ck_assert_int_gt(pread(file, text, sizeof text - 1, 0), 0);
    ck_assert_str_eq(text, "logged 3\n");
}
END_TEST

static void tell_reason(const char *reason) { _exit(reason && strstr(reason, "kinds") ? 9 : 8); }

START_TEST(the_program_hears_why_it_ends) {
    int status;
    GC_INIT();
    ck_assert(GC_get_abort_func() != NULL);
    GC_set_abort_func(tell_reason);
    ck_assert(GC_get_abort_func() == tell_reason);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            GC_new_kind(GC_new_free_list(), 0, 0, 1);
    waitpid(child, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) >= 8);
}
END_TEST

START_TEST(the_release_is_told) {
    ck_assert_uint_eq(GC_get_version(), differs(LATER_INTERFACE) ? 0x8020c : 0x80202);
    ck_assert_uint_eq(GC_get_version() >> 16, GC_VERSION_MAJOR);
}
END_TEST

START_TEST(markers_are_counted) {
    GC_set_markers_count(1);
    GC_INIT();
    GC_start_mark_threads();
    ck_assert_int_eq(GC_get_parallel(), 0);
    ck_assert_int_eq(GC_parallel, 0);
}
END_TEST

START_TEST(markers_are_told_when_there_are_threads) {
    GC_set_markers_count(2);
    GC_INIT();
    GC_allow_register_threads();
    ck_assert_int_eq(GC_get_parallel(), 1);
    GC_gcollect();
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        the_time_limit_has_two_parts,
        a_greater_divisor_collects_more_often,
        texts_let_the_heap_grow_by_less_than_lists,
        so_much_is_allocated_between_collections,
        the_first_collection_may_be_left_out,
        signals_are_chosen_before_the_start,
        signals_are_the_programs_unless_they_stop_threads,
        warnings_go_where_the_program_says,
        a_procedure_ignores_warnings,
        messages_go_to_their_files,
        the_program_hears_why_it_ends,
        the_release_is_told,
        markers_are_counted,
        markers_are_told_when_there_are_threads,
    };
    const struct looped loops[] = {{numbers_have_their_default_and_are_kept, NUMBERS}};
    return SUITE_RUN_LOOPS("libgc, settings", once, loops, 60);
}
