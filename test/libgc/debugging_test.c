/* Debugging objects: what their functions promise, and which damage is noticed. */
#include "herd.h"
#include "suite.h"

#include "captured.h"
#include "differences.h"

#include "gc/gc_mark.h"

#include <sys/wait.h>

enum { HEADER = 32 };

#define HERE "somewhere.c", 7

typedef void *allocator(size_t bytes);

static void *normal(size_t bytes) { return GC_debug_malloc(bytes, HERE); }
static void *off_page(size_t bytes) { return GC_debug_malloc_ignore_off_page(bytes, HERE); }
static void *stubborn(size_t bytes) { return GC_debug_malloc_stubborn(bytes, HERE); }
static void *replacement(size_t bytes) { return GC_debug_malloc_replacement(bytes); }
static void *re_replacement(size_t bytes) { return GC_debug_realloc_replacement(NULL, bytes); }
static void *resized(size_t bytes) { return GC_debug_realloc(NULL, bytes, HERE); }
static void *special(size_t bytes) { return GC_debug_generic_or_special_malloc(bytes, 1, HERE); }
static void *atomic(size_t bytes) { return GC_debug_malloc_atomic(bytes, HERE); }
static void *held(size_t bytes) { return GC_debug_malloc_uncollectable(bytes, HERE); }

static void *atomic_off_page(size_t bytes) {
    return GC_debug_malloc_atomic_ignore_off_page(bytes, HERE);
}

static void *atomic_held(size_t bytes) { return GC_debug_malloc_atomic_uncollectable(bytes, HERE); }

static const struct function {
    allocator *allocate;
    int kind;
} functions[] = {
    {normal, 1},         {off_page, 1},        {stubborn, 1},    {replacement, 1},
    {re_replacement, 1}, {resized, 1},         {special, 1},     {atomic, 0},
    {held, 2},           {atomic_off_page, 0}, {atomic_held, 3},
};

enum { FUNCTIONS = sizeof functions / sizeof *functions };

static char *volatile objects[HERD];
static struct herd herd, inner;

__attribute__((noinline)) static void make_owners(allocator *allocate) {
    for (int i = 0; i < HERD; i++) {
        void **owner = allocate(40);
        objects[i] = (char *)owner;
        owner[1] = GC_malloc(16);
        watch(&inner, i, owner[1]);
        watch_client(&herd, i, owner);
    }
}

static void check_marking(allocator *allocate, int kind) {
    make_owners(allocate);
    collect();
    ck_assert_int_eq(living(&herd), HERD);
    ck_assert(kind % 3 == 0 ? living(&inner) < FEW : living(&inner) == HERD);
    memset((void *)objects, 0, sizeof objects);
    collect();
    ck_assert(kind >= 2 ? living(&herd) == HERD : living(&herd) < FEW);
}

START_TEST(objects_have_a_header_and_are_of_their_kind) {
    const struct function *function = &functions[_i];
    GC_INIT();
    ck_assert_uint_eq(GC_get_debug_header_size(), HEADER);
    ck_assert_uint_eq(GC_debug_header_size, HEADER);
    for (size_t bytes = 0; bytes < 100000; bytes = bytes * 3 + 1) {
        char *object = function->allocate(bytes);
        ck_assert_int_eq(object - (char *)GC_base(object), HEADER);
        ck_assert_int_eq(GC_get_kind_and_size(GC_base(object), NULL), function->kind);
        ck_assert_uint_ge(GC_size(GC_base(object)), bytes + HEADER);
        for (size_t i = 0; i < bytes; i++)
            ck_assert(function->kind % 3 == 0 || object[i] == 0);
        memset(object, 0x55, bytes);
        GC_debug_free(object);
    }
    check_marking(function->allocate, function->kind);
}
END_TEST

START_TEST(text_is_copied) {
    GC_INIT();
    ck_assert_str_eq(GC_debug_strdup("text", HERE), "text");
    ck_assert_str_eq(GC_debug_strndup("text", 2, HERE), "te");
    ck_assert_ptr_null(GC_debug_strdup(NULL, HERE));
    ck_assert_int_eq(GC_get_kind_and_size(GC_base(GC_debug_strdup("text", HERE)), NULL), 0);
    ck_assert_int_eq(GC_get_kind_and_size(GC_base(GC_debug_strndup("text", 3, HERE)), NULL), 0);
}
END_TEST

START_TEST(objects_are_resized) {
    GC_INIT();
    for (int i = 0; i < 2; i++) {
        char *object = memset(functions[i ? 7 : 0].allocate(30), 'x', 30);
        object = i ? GC_debug_realloc_replacement(object, 3000)
                   : GC_debug_realloc(object, 3000, "elsewhere.c", 8);
        ck_assert(object[0] == 'x' && object[29] == 'x');
        ck_assert_int_eq(GC_get_kind_and_size(GC_base(object), NULL), i ? 0 : 1);
        object = GC_debug_realloc(object, 10, HERE);
        ck_assert(object[9] == 'x');
        ck_assert_ptr_null(GC_debug_realloc(object, 0, HERE));
    }
}
END_TEST

static char *volatile victim;

static void write_behind(void) { memset(victim + 20, 1, 9); }
static void write_before(void) { victim[-1] ^= 1; }
static void free_victim(void) { GC_debug_free(victim); }

static void collect_twice(void) {
    GC_gcollect();
    GC_gcollect();
}

/* What is said about a victim after something was done to it. */
static const char *said_of(void (*harm)(void), void (*act)(void)) {
    victim = GC_debug_malloc(20, HERE);
    memset(victim, 1, 20);
    harm();
    return captured(STDERR_FILENO, act);
}

static void do_nothing(void) {}

static bool tells(const char *text) { return strstr(text, "somewhere.c:7") != NULL; }

START_TEST(damage_is_noticed) {
    GC_INIT();
    ck_assert_str_eq(said_of(do_nothing, collect_twice), "");
    ck_assert_str_eq(said_of(do_nothing, free_victim), "");
    ck_assert(tells(said_of(write_behind, free_victim)));
    ck_assert(tells(said_of(write_behind, collect_twice)));
    victim = NULL;
    collect();
    ck_assert_str_ne(said_of(write_before, free_victim), "");
    ck_assert_str_ne(said_of(free_victim, free_victim), "");
}
END_TEST

static void use_freed(void) {
    victim[10] = 'x';
    collect_twice();
}

/* In a process of its own, since the variable is read at the start. */
START_TEST(writes_to_what_was_freed_are_noticed_when_frees_are_delayed) {
    setenv("GC_FINDLEAK_DELAY_FREE", "1", 1);
    GC_INIT();
    ck_assert_str_eq(said_of(free_victim, collect_twice), "");
    if (differs(DELAYED_FREES_CHECKED))
        ck_assert(tells(said_of(free_victim, use_freed)));
}
END_TEST

static void free_plain(void) { GC_debug_free(GC_malloc(20)); }

START_TEST(objects_of_the_other_functions_are_told_apart) {
    GC_INIT();
    ck_assert_str_ne(captured(STDERR_FILENO, free_plain), "");
    GC_debug_free(NULL);
}
END_TEST

static int called;

static void count_call(void *object, void *data) {
    called += *(long *)object == 77 && data == &called;
}

typedef void registrar(void *, GC_finalization_proc, void *, GC_finalization_proc *, void **);

static registrar *const registrars[] = {
    GC_debug_register_finalizer, GC_debug_register_finalizer_ignore_self,
    GC_debug_register_finalizer_no_order, GC_debug_register_finalizer_unreachable};

__attribute__((noinline)) static void make_finalized(registrar *with) {
    for (int i = 0; i < HERD; i++) {
        long *object = GC_debug_malloc(32, HERE);
        *object = 77;
        with(object, count_call, &called, NULL, NULL);
    }
}

START_TEST(finalizers_get_the_clients_part) {
    GC_finalization_proc old = count_call;
    void *data = NULL;
    GC_INIT();
    make_finalized(registrars[_i]);
    collect();
    ck_assert_int_gt(called, MOST);
    void *object = GC_debug_malloc(32, HERE);
    registrars[_i](object, count_call, &called, &old, &data);
    ck_assert_ptr_null(old);
    registrars[_i](object, NULL, NULL, &old, &data);
    ck_assert(old == count_call && data == &called);
}
END_TEST

static int complaints;

static void complain(void *address) {
    (void)address;
    complaints++;
}

START_TEST(displacements_are_counted_from_the_clients_part) {
    GC_set_all_interior_pointers(0);
    GC_INIT();
    GC_is_valid_displacement_print_proc = complain;
    char *object = GC_debug_malloc(64, HERE);
    ck_assert_ptr_eq(GC_is_valid_displacement(object + 16), object + 16);
    ck_assert_int_eq(complaints, 1);
    GC_debug_register_displacement(16);
    GC_is_valid_displacement(object + 16);
    ck_assert_int_eq(complaints, 1);
}
END_TEST

START_TEST(stores_are_checked_and_made) {
    GC_INIT();
    GC_is_visible_print_proc = complain;
    GC_is_valid_displacement_print_proc = complain;
    void **object = GC_debug_malloc(64, HERE), *value = GC_debug_malloc(16, HERE);
    GC_debug_change_stubborn(object);
    GC_debug_ptr_store_and_dirty(object + 2, value);
    GC_debug_end_stubborn_change(object);
    ck_assert_ptr_eq(object[2], value);
    ck_assert_int_eq(complaints, 0);
}
END_TEST

__attribute__((noinline)) static void lose(bool debugging) {
    for (int i = 0; i < HERD; i++)
        GC_reachable_here(debugging ? GC_debug_malloc(20, HERE) : GC_malloc(20));
}

static int count_lines(const char *text, const char *word) {
    int count = 0;
    for (; (text = strstr(text, word)) != NULL; text++)
        count++;
    return count;
}

START_TEST(leaks_are_told_with_their_place) {
    GC_set_find_leak(1);
    GC_INIT();
    ck_assert_int_eq(GC_get_find_leak(), 1);
    lose(true);
    clear_stack();
    int least = differs(MANY_LEAKS_ARE_TOLD) ? MOST : FEW;
    ck_assert_int_gt(count_lines(captured(STDERR_FILENO, collect_twice), "somewhere.c:7"), least);
    ck_assert_int_lt(count_lines(captured(STDERR_FILENO, collect_twice), "somewhere.c:7"), FEW);
    for (int i = 0; i < HERD; i++)
        GC_debug_free(GC_debug_malloc(20, HERE));
    clear_stack();
    ck_assert_int_lt(count_lines(captured(STDERR_FILENO, collect_twice), "somewhere.c:7"), FEW);
}
END_TEST

static void allocate_on(void) {
    for (int i = 0; i < 60000; i++)
        GC_free(GC_malloc(1000));
    for (int i = 0; i < 3000; i++)
        GC_reachable_here(GC_malloc_atomic(10000));
}

START_TEST(leaks_are_told_by_collections_that_start_by_themselves) {
    GC_set_find_leak(1);
    GC_INIT();
    lose(true);
    clear_stack();
    ck_assert_int_gt(count_lines(captured(STDERR_FILENO, allocate_on), "eaked"), FEW);
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        text_is_copied,
        objects_are_resized,
        damage_is_noticed,
        writes_to_what_was_freed_are_noticed_when_frees_are_delayed,
        objects_of_the_other_functions_are_told_apart,
        displacements_are_counted_from_the_clients_part,
        stores_are_checked_and_made,
        leaks_are_told_with_their_place,
        leaks_are_told_by_collections_that_start_by_themselves,
    };
    const struct looped loops[] = {
        {objects_have_a_header_and_are_of_their_kind, FUNCTIONS},
        {finalizers_get_the_clients_part, 4},
    };
    return SUITE_RUN_LOOPS("libgc, debugging", once, loops, 60);
}
