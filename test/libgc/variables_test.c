/* libgc's variables, read and written without a function, as older programs do.
 *
 * Built twice: as position-independent code, which finds them in the library, and as code that is
 * not, whose executable has copies of them that the library must share (COPY_RELOCATIONS).
 */
#include "herd.h"
#include "suite.h"

#include "differences.h"

#include "gc/gc_gcj.h"
#include "gc/gc_mark.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* Exported, but not in the installed headers. */
extern GC_push_other_roots_proc GC_push_other_roots;
extern GC_abort_func GC_on_abort;
extern void **const GC_aobjfreelist_ptr, **const GC_objfreelist_ptr;
extern void **const GC_uobjfreelist_ptr, **const GC_auobjfreelist_ptr;

extern char __executable_start[], end[];

static bool is_in_executable(const void *address) {
    return (const char *)address >= __executable_start && (const char *)address < end;
}

START_TEST(variables_are_where_the_program_was_built_to_find_them) {
#ifdef COPY_RELOCATIONS
    bool copied = true;
#else
    bool copied = false;
#endif
    const void *const addresses[] = {&GC_dont_gc, &GC_stackbottom, &GC_oom_fn, &GC_push_other_roots,
                                     &GC_free_space_divisor};
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(is_in_executable(addresses[i]), copied);
}
END_TEST

START_TEST(setters_and_variables_are_the_same) {
    GC_INIT();
    GC_set_full_freq(3), GC_set_dont_expand(1), GC_set_dont_precollect(1);
    GC_set_free_space_divisor(4), GC_set_max_retries(5), GC_set_non_gc_bytes(6);
    GC_set_time_limit(7), GC_set_finalize_on_demand(1), GC_set_no_dls(1), GC_set_find_leak(1);
    ck_assert(GC_full_freq == 3 && GC_dont_expand == 1 && GC_dont_precollect == 1);
    ck_assert(GC_free_space_divisor == 4 && GC_max_retries == 5 && GC_non_gc_bytes == 6);
    ck_assert(GC_time_limit == 7 && GC_finalize_on_demand == 1 && GC_no_dls == 1);
    ck_assert(GC_find_leak == 1);
    GC_full_freq = 13, GC_dont_expand = GC_dont_precollect = GC_finalize_on_demand = 0;
    GC_free_space_divisor = 14, GC_max_retries = 15, GC_non_gc_bytes = 16, GC_time_limit = 17;
    GC_no_dls = GC_find_leak = 0;
    ck_assert(GC_get_full_freq() == 13 && GC_get_dont_expand() == 0);
    ck_assert(GC_get_dont_precollect() == 0 && GC_get_finalize_on_demand() == 0);
    ck_assert(GC_get_free_space_divisor() == 14 && GC_get_max_retries() == 15);
    ck_assert(GC_get_non_gc_bytes() == 16 && GC_get_time_limit() == 17);
    ck_assert(GC_get_no_dls() == 0 && GC_get_find_leak() == 0);
}
END_TEST

START_TEST(variables_have_their_defaults) {
    ck_assert(GC_all_interior_pointers == 1 && GC_java_finalization == 1);
    ck_assert(GC_use_entire_heap == 0 && GC_dont_gc == 0 && GC_gc_no == 0 && GC_gcj_kind == 0);
    GC_INIT();
    ck_assert_uint_eq(GC_gc_no, 1);
    ck_assert_uint_eq(GC_debug_header_size, GC_get_debug_header_size());
    ck_assert(GC_least_plausible_heap_addr < GC_greatest_plausible_heap_addr);
    GC_start_mark_threads();
    ck_assert_int_eq(GC_parallel, GC_get_parallel());
    ck_assert(GC_push_other_roots != NULL && GC_push_other_roots == GC_get_push_other_roots());
    ck_assert(GC_on_abort == GC_get_abort_func() && GC_oom_fn == GC_get_oom_fn());
    ck_assert(GC_on_heap_resize == NULL && GC_finalizer_notifier == NULL);
    ck_assert(GC_objfreelist_ptr && GC_aobjfreelist_ptr && GC_uobjfreelist_ptr &&
              GC_auobjfreelist_ptr);
}
END_TEST

static struct herd herd, other_herd;

__attribute__((noinline)) static void lose_herd(void) {
    for (int i = 0; i < HERD; i++)
        watch(&herd, i, GC_malloc(16));
}

START_TEST(a_variable_forbids_collections) {
    GC_dont_gc = 1;
    GC_INIT();
    ck_assert(GC_is_disabled());
    lose_herd();
    for (int i = 0; i < 100000; i++)
        GC_reachable_here(GC_malloc(200));
    collect();
    ck_assert_int_eq(living(&herd), HERD);
    GC_dont_gc = 0;
    collect();
    ck_assert_int_lt(living(&herd), FEW);
}
END_TEST

static GC_push_other_roots_proc pushed_before;
static void **mapped;

static void push_mapped(void) {
    pushed_before();
    GC_push_all(mapped, mapped + HERD);
}

__attribute__((noinline)) static void fill_mapped(void) {
    for (int i = 0; i < HERD; i++)
        watch(&herd, i, mapped[i] = GC_malloc(16));
}

START_TEST(a_variable_has_roots_pushed) {
    GC_INIT();
    mapped = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pushed_before = GC_push_other_roots;
    GC_push_other_roots = push_mapped;
    ck_assert(GC_get_push_other_roots() == push_mapped);
    fill_mapped();
    collect();
    ck_assert_int_eq(living(&herd), HERD);
    GC_push_other_roots = pushed_before;
    collect();
    ck_assert_int_lt(living(&herd), FEW);
}
END_TEST

static int called, notified, resized, complaints;
static void count_call(void *object, void *data) { called += object != data; }
static void note(void) { notified++; }
static void note_resize(GC_word bytes) { resized += bytes > 0; }
static void *give_address(size_t bytes) { return bytes > 1 << 30 ? &called : NULL; }

__attribute__((noinline)) static void make_finalized(void) {
    for (int i = 0; i < HERD; i++)
        GC_register_finalizer(GC_malloc(16), count_call, NULL, NULL, NULL);
}

START_TEST(variables_announce_finalizers) {
    GC_finalize_on_demand = 1;
    GC_finalizer_notifier = note;
    GC_INIT();
    ck_assert(GC_get_finalizer_notifier() == note);
    make_finalized();
    clear_stack();
    GC_gcollect();
    ck_assert(notified > 0 && called == 0);
    GC_finalize_on_demand = 0;
    GC_gcollect();
    ck_assert_int_gt(called, MOST);
}
END_TEST

static volatile size_t too_much = SIZE_MAX / 2 + 1;

static void *volatile kept[64];

START_TEST(variables_hold_functions) {
    GC_INIT();
    GC_set_warn_proc(ignore_warning);
    GC_oom_fn = give_address;
    kept[0] = GC_malloc_atomic(too_much);
    ck_assert_ptr_eq(kept[0], &called);
    GC_on_heap_resize = note_resize;
    for (int i = 0; i < 64; i++)
        kept[i] = GC_malloc_atomic(1 << 20);
    ck_assert_int_gt(resized, 0);
    ck_assert(GC_get_oom_fn() == give_address && GC_get_on_heap_resize() == note_resize);
}
END_TEST

static void complain(void *address) { complaints += address != NULL; }
static void complain_of_two(void *one, void *other) { complaints += one != other; }

START_TEST(variables_hold_complainers) {
    GC_set_all_interior_pointers(0);
    GC_INIT();
    GC_same_obj_print_proc = complain_of_two;
    GC_is_valid_displacement_print_proc = complain;
    GC_is_visible_print_proc = complain;
    char *object = GC_malloc(64);
    GC_same_obj(object, GC_malloc(300));
    ck_assert_int_eq(complaints, 1);
    GC_is_valid_displacement(object + 9);
    ck_assert_int_eq(complaints, 2);
    if (differs(VISIBILITY_IS_CHECKED)) {
        GC_is_visible(malloc(16));
        ck_assert_int_eq(complaints, 3);
    }
}
END_TEST

static void leave(const char *reason) { _exit(reason ? 9 : 8); }

START_TEST(a_variable_hears_why_the_program_ends) {
    int status;
    GC_INIT();
    pid_t child = fork();
    if (child == 0) {
        GC_on_abort = leave;
        for (;;)
            GC_new_kind(GC_new_free_list(), 0, 0, 1);
    }
    waitpid(child, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) >= 8);
}
END_TEST

static struct GC_ms_entry *mark_nothing(GC_word *object, struct GC_ms_entry *top,
                                        struct GC_ms_entry *limit, GC_word argument) {
    (void)object, (void)limit, (void)argument;
    return top;
}

START_TEST(kinds_of_gcj_are_told) {
    static void *table[2];
    GC_INIT();
    GC_init_gcj_malloc(GC_GCJ_RESERVED_MARK_PROC_INDEX, (void *)mark_nothing);
    ck_assert_int_eq(GC_get_kind_and_size(GC_gcj_malloc(16, table), NULL), GC_gcj_kind);
    void *debugging = GC_debug_gcj_malloc(16, table, "somewhere.c", 7);
    ck_assert_int_eq(GC_get_kind_and_size(GC_base(debugging), NULL), GC_gcj_debug_kind);
}
END_TEST

/* A scheduler of fibres that only writes the variable, and pushes the stacks that rest. */

enum { FIBRE_BYTES = 256 << 10 };

static ucontext_t own_context, fibre_context;
static char *own_bottom, *own_top, *fibre_stack;

static void push_own_stack(void) {
    pushed_before();
    if (own_top)
        GC_push_all_eager(own_top, own_bottom);
}

static void check_both(void) {
    collect();
    ck_assert_int_eq(living(&herd), HERD);
    ck_assert_int_eq(living(&other_herd), HERD);
}

static void run_fibre(void) {
    GC_stackbottom = fibre_stack + FIBRE_BYTES;
    with_herd(&other_herd, check_both);
    GC_stackbottom = own_bottom;
}

static void enter_fibre(void) {
    own_top = (char *)__builtin_frame_address(0);
    own_top -= 8192;
    swapcontext(&own_context, &fibre_context);
    own_top = NULL;
    collect();
    ck_assert_int_eq(living(&herd), HERD);
}

START_TEST(a_variable_tells_the_stack) {
    GC_INIT();
    pushed_before = GC_push_other_roots;
    GC_push_other_roots = push_own_stack;
    own_bottom = GC_stackbottom;
    fibre_stack =
        mmap(NULL, FIBRE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    getcontext(&fibre_context);
    fibre_context.uc_stack.ss_sp = fibre_stack;
    fibre_context.uc_stack.ss_size = FIBRE_BYTES;
    fibre_context.uc_link = &own_context;
    makecontext(&fibre_context, run_fibre, 0);
    with_herd(&herd, enter_fibre);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        variables_are_where_the_program_was_built_to_find_them,
        setters_and_variables_are_the_same,
        variables_have_their_defaults,
        a_variable_forbids_collections,
        a_variable_has_roots_pushed,
        variables_announce_finalizers,
        variables_hold_functions,
        variables_hold_complainers,
        a_variable_hears_why_the_program_ends,
        kinds_of_gcj_are_told,
        a_variable_tells_the_stack,
    };
    return SUITE_RUN("libgc, variables", tests, 60);
}
