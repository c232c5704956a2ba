/* Addresses one past the end of what was asked for: they keep the object, wherever they are. */
#include "herd.h"
#include "suite.h"

#include "gc/gc_inline.h"
#include "gc/gc_mark.h"
#include "gc/gc_typed.h"

static struct herd herd;

static void *by_malloc(size_t bytes) { return GC_malloc(bytes); }
static void *by_malloc_atomic(size_t bytes) { return GC_malloc_atomic(bytes); }
static void *by_memalign(size_t bytes) { return GC_memalign(64, bytes); }
static void *by_kind(size_t bytes) { return GC_malloc_kind(bytes, GC_I_NORMAL); }
static void *by_generic(size_t bytes) { return GC_generic_malloc(bytes, GC_I_PTRFREE); }
static void *by_debug(size_t bytes) { return GC_debug_malloc(bytes, "here", 1); }

static void *by_growing(size_t bytes) { return GC_realloc(GC_malloc(1), bytes); }
static void *by_shrinking(size_t bytes) { return GC_realloc(GC_malloc(bytes + 5), bytes); }

static void *by_strdup(size_t bytes) {
    char *text = malloc(bytes);
    memset(text, 'a', bytes - 1);
    text[bytes - 1] = 0;
    char *copy = GC_strdup(text);
    free(text);
    return copy;
}

static void *by_chain(size_t bytes) {
    void *chain = GC_malloc_many(bytes);
    GC_NEXT(chain) = NULL;
    return chain;
}

static void *typed(size_t bytes) {
    static GC_descr descriptor;
    GC_word map = 1;
    if (descriptor == 0)
        descriptor = GC_make_descriptor(&map, 2);
    return GC_malloc_explicitly_typed(bytes, descriptor);
}

static void *of_a_kind(size_t bytes) {
    static unsigned kind;
    if (kind == 0)
        kind = GC_new_kind(GC_new_free_list(), GC_DS_LENGTH, 1, 1);
    return GC_generic_malloc(bytes, kind);
}

static void *(*const functions[])(size_t) = {
    by_malloc,  by_malloc_atomic, by_memalign, by_kind,  by_generic, by_debug,
    by_growing, by_shrinking,     by_strdup,   by_chain, typed,      of_a_kind,
};

static const size_t sizes[] = {16, 32, 48, 256, 512, 1024, 2048, 4096};

enum { LARGE = 20, LARGE_FROM = 40000, PAGE = 8192 };

static char *in_data[HERD];
static char **in_heap;

static char **place_of(int index) { return index % 2 ? &in_data[index] : &in_heap[index]; }

/* Others follow at once, in whose first bytes the end may lie. */
__attribute__((noinline)) static void make(void *(*function)(size_t), size_t bytes, int count) {
    for (int i = 0; i < count; i++) {
        char *object = function(bytes);
        watch_client(&herd, i, object);
        *place_of(i) = object + bytes;
        function(bytes);
        function(bytes);
    }
}

static int still_living(int count) {
    int living = 0;
    for (int i = 0; i < count; i++)
        living += herd.links[i] != NULL;
    return living;
}

__attribute__((noinline)) static void forget(int count) {
    for (int i = 0; i < count; i++)
        *place_of(i) = NULL;
}

static void start(void) {
    GC_INIT();
    in_heap = GC_malloc_uncollectable(HERD * sizeof *in_heap);
}

START_TEST(an_end_keeps_its_object) {
    start();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make(functions[_i], sizes[i], HERD);
        collect();
        ck_assert_int_eq(still_living(HERD), HERD);
        forget(HERD);
        collect();
        ck_assert_int_le(still_living(HERD), FEW * 2);
    }
}
END_TEST

START_TEST(an_end_keeps_a_large_object) {
    start();
    for (size_t bytes = LARGE_FROM; bytes < 4 * LARGE_FROM; bytes += LARGE_FROM) {
        make(functions[_i], bytes / PAGE * PAGE, LARGE);
        collect();
        ck_assert_int_eq(still_living(LARGE), LARGE);
        forget(LARGE);
        collect();
    }
}
END_TEST

START_TEST(programs_without_interior_pointers_need_no_room_for_ends) {
    GC_set_all_interior_pointers(0);
    GC_INIT();
    ck_assert_uint_eq(GC_size(GC_malloc(16)), 16);
    ck_assert_uint_eq(GC_size(GC_malloc_atomic(32)), 32);
}
END_TEST

START_TEST(what_nobody_collects_needs_no_room_for_its_end) {
    GC_INIT();
    ck_assert_uint_eq(GC_size(GC_malloc(16)), 32);
    ck_assert_uint_eq(GC_size(GC_malloc_uncollectable(16)), 16);
    ck_assert_uint_eq(GC_size(GC_malloc_atomic_uncollectable(16)), 16);
}
END_TEST

/* Who keeps lists of its own asks for what it wants. */
START_TEST(chains_of_clients_are_as_large_as_they_say) {
    void *chain;
    GC_INIT();
    GC_generic_malloc_many(16, GC_I_NORMAL, &chain);
    ck_assert_uint_eq(GC_size(chain), 16);
    ck_assert_uint_eq(GC_size(GC_malloc_many(16)), 32);
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        programs_without_interior_pointers_need_no_room_for_ends,
        what_nobody_collects_needs_no_room_for_its_end,
        chains_of_clients_are_as_large_as_they_say,
    };
    enum { FUNCTIONS = sizeof functions / sizeof *functions };
    const struct looped loops[] = {
        {an_end_keeps_its_object, FUNCTIONS},
        {an_end_keeps_a_large_object, FUNCTIONS},
    };
    return SUITE_RUN_LOOPS("libgc, ends", once, loops, 60);
}
