/* Allocation: what each function promises of its memory, and what keeps it alive. */
#include "herd.h"
#include "suite.h"

#include "differences.h"

#include "gc/gc_inline.h"
#include "gc/gc_mark.h"

#include <errno.h>

enum { KIND_ATOMIC, KIND_NORMAL, KIND_HELD, KIND_ATOMIC_HELD, LARGE = 200000 };

/* Exported for gc_alloc_ptrs.h, a header that is not installed. */
void GC_incr_bytes_allocd(size_t bytes);
void GC_incr_bytes_freed(size_t bytes);

static void **volatile holders[HERD];
static struct herd held, owners;

static void *stubborn(size_t bytes) { return GC_malloc_stubborn(bytes); }
static void *of_kind(size_t bytes) { return GC_malloc_kind(bytes, KIND_NORMAL); }
static void *of_kind_global(size_t bytes) { return GC_malloc_kind_global(bytes, KIND_NORMAL); }
static void *generic(size_t bytes) { return GC_generic_malloc(bytes, KIND_NORMAL); }
static void *special(size_t bytes) { return GC_generic_or_special_malloc(bytes, KIND_NORMAL); }
static void *aligned(size_t bytes) { return GC_memalign(64, bytes); }
static void *resized(size_t bytes) { return GC_realloc(NULL, bytes); }

static void *generic_off_page(size_t bytes) {
    return GC_generic_malloc_ignore_off_page(bytes, KIND_NORMAL);
}

static void *posix_aligned(size_t bytes) {
    void *object = NULL;
    ck_assert_int_eq(GC_posix_memalign(&object, 64, bytes), 0);
    return object;
}

static void *atomic_of_kind(size_t bytes) { return GC_malloc_kind(bytes, KIND_ATOMIC); }
static void *atomic_generic(size_t bytes) { return GC_generic_malloc(bytes, KIND_ATOMIC); }
static void *atomic_global(size_t bytes) { return GC_malloc_kind_global(bytes, KIND_ATOMIC); }

static void *held_generic(size_t bytes) {
    return GC_generic_malloc_uncollectable(bytes, KIND_HELD);
}

static void *held_special(size_t bytes) { return GC_generic_or_special_malloc(bytes, KIND_HELD); }

static void *atomic_held_generic(size_t bytes) {
    return GC_generic_malloc_uncollectable(bytes, KIND_ATOMIC_HELD);
}

typedef void *allocator(size_t bytes);

static bool is_clear(const char *object, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (object[i])
            return false;
    return true;
}

/* Dirty memory is made first, which a function that forgets to clear would give back. */
__attribute__((noinline)) static void soil(size_t bytes) {
    void *objects[20];
    for (int i = 0; i < 20; i++)
        memset(objects[i] = GC_malloc(bytes), 0x5a, bytes);
    for (int i = 0; i < 20; i++)
        GC_free(objects[i]);
}

static void check_memory(allocator *allocate, bool clears, int kind) {
    static const size_t sizes[] = {0, 1, 16, 100, 2000, 40000, LARGE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        soil(sizes[i]);
        char *object = allocate(sizes[i]);
        ck_assert_ptr_nonnull(object);
        ck_assert_uint_eq((uintptr_t)object % 16, 0);
        ck_assert_uint_ge(GC_size(GC_base(object)), sizes[i]);
        ck_assert_int_eq(GC_get_kind_and_size(GC_base(object), NULL), kind);
        ck_assert(!clears || is_clear(object, sizes[i]));
        memset(object, 0x77, sizes[i]);
    }
}

/* In a frame of its own: owners, which nobody but a hidden link knows, hold an object each. */
__attribute__((noinline)) static void make_owners(allocator *allocate, size_t bytes, bool kept) {
    for (int i = 0; i < HERD; i++) {
        void **owner = allocate(bytes);
        holders[i] = kept ? owner : NULL;
        owner[1] = GC_malloc(16);
        watch(&held, i, owner[1]);
        watch(&owners, i, GC_base(owner));
    }
}

static void check_marking(allocator *allocate, size_t bytes, bool scanned, bool root) {
    make_owners(allocate, bytes, true);
    collect();
    ck_assert_int_eq(living(&owners), HERD);
    if (scanned)
        ck_assert_int_eq(living(&held), HERD);
    else
        ck_assert_int_lt(living(&held), FEW);
    make_owners(allocate, bytes, false);
    collect();
    if (!root)
        ck_assert_int_lt(living(&owners), FEW);
    else
        ck_assert_int_eq(living(&owners), HERD);
}

static const struct function {
    allocator *allocate;
    int kind;
} functions[] = {
    {GC_malloc, KIND_NORMAL},
    {GC_malloc_ignore_off_page, KIND_NORMAL},
    {stubborn, KIND_NORMAL},
    {of_kind, KIND_NORMAL},
    {of_kind_global, KIND_NORMAL},
    {generic, KIND_NORMAL},
    {generic_off_page, KIND_NORMAL},
    {special, KIND_NORMAL},
    {aligned, KIND_NORMAL},
    {posix_aligned, KIND_NORMAL},
    {resized, KIND_NORMAL},
    {GC_malloc_atomic, KIND_ATOMIC},
    {GC_malloc_atomic_ignore_off_page, KIND_ATOMIC},
    {atomic_of_kind, KIND_ATOMIC},
    {atomic_global, KIND_ATOMIC},
    {atomic_generic, KIND_ATOMIC},
    {GC_malloc_uncollectable, KIND_HELD},
    {held_generic, KIND_HELD},
    {held_special, KIND_HELD},
    {GC_malloc_atomic_uncollectable, KIND_ATOMIC_HELD},
    {atomic_held_generic, KIND_ATOMIC_HELD},
};

START_TEST(memory_is_as_each_function_promises) {
    const struct function *function = &functions[_i];
    bool clears = function->kind == KIND_NORMAL || function->kind == KIND_HELD;
    GC_INIT();
    check_memory(function->allocate, clears, function->kind);
}
END_TEST

START_TEST(objects_hold_what_their_kind_holds) {
    const struct function *function = &functions[_i];
    bool scanned = function->kind == KIND_NORMAL || function->kind == KIND_HELD;
    bool root = function->kind == KIND_HELD || function->kind == KIND_ATOMIC_HELD;
    GC_INIT();
    check_marking(function->allocate, 40, scanned, root);
    check_marking(function->allocate, 5000, scanned, root);
}
END_TEST

static void *kept[HERD];

/* Each with the only pointer to an object. */
__attribute__((noinline)) static void keep_owners(allocator *allocate, int kind) {
    for (int i = 0; i < HERD; i++) {
        kept[i] = allocate(40);
        ck_assert_int_eq(GC_get_kind_and_size(kept[i], NULL), kind);
        ck_assert(kind != KIND_HELD || is_clear(kept[i], 40));
        *(void **)kept[i] = GC_malloc(32);
        watch(&owners, i, *(void **)kept[i]);
    }
}

static void free_owners(void) {
    for (int i = 0; i < HERD; i++) {
        memset(kept[i], 1, 40);
        GC_free(kept[i]);
    }
}

/* What one kind of kept objects leaves becomes the other's. */
START_TEST(kept_objects_are_what_they_were_last_asked_for) {
    GC_INIT();
    for (int round = 0; round < 3; round++) {
        keep_owners(GC_malloc_uncollectable, KIND_HELD);
        collect();
        ck_assert_int_eq(living(&owners), HERD);
        free_owners();
        keep_owners(GC_malloc_atomic_uncollectable, KIND_ATOMIC_HELD);
        collect();
        ck_assert_int_le(living(&owners), FEW);
        free_owners();
    }
}
END_TEST

static int length_of(void *chain) {
    int length = 0;
    for (; chain; chain = GC_NEXT(chain))
        length++;
    return length;
}

/* All objects but the first of a chain are known by their links alone. */
__attribute__((noinline)) static void make_chains(void) {
    for (int count = 0, chains = 0; count < HERD; chains++) {
        holders[chains] = GC_malloc_many(40);
        for (void *object = holders[chains]; object && count < HERD; object = GC_NEXT(object))
            watch(&owners, count++, object);
    }
}

START_TEST(chains_are_held_by_their_links) {
    GC_INIT();
    make_chains();
    collect();
    ck_assert_int_eq(living(&owners), HERD);
    for (int i = 0; i < HERD && holders[i]; i++)
        for (char *object = (char *)holders[i]; object; object = GC_NEXT(object))
            ck_assert(is_clear(object + sizeof(void *), 40 - sizeof(void *)));
    memset((void *)holders, 0, sizeof holders);
    collect();
    ck_assert_int_lt(living(&owners), HERD / 2);
}
END_TEST

START_TEST(chains_of_every_kind_hold_distinct_objects) {
    static const size_t sizes[] = {16, 48, 1000, 3000, 40000};
    GC_INIT();
    unsigned client = GC_new_kind(GC_new_free_list(), 0, 1, 1);
    for (unsigned kind = 0; kind <= client; kind++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            void *chain = NULL;
            if (kind > KIND_ATOMIC_HELD && kind < client)
                continue;
            GC_generic_malloc_many(sizes[i], kind, &chain);
            int length = length_of(chain);
            ck_assert_int_ge(length, 1);
            for (void *object = chain, *next; object; object = next, length--) {
                next = GC_NEXT(object);
                ck_assert_uint_ge(GC_size(object), sizes[i]);
                ck_assert_int_eq(GC_get_kind_and_size(object, NULL), (int)kind);
                memset(object, 1, sizes[i]);
            }
            ck_assert_int_eq(length, 0);
        }
}
END_TEST

/* As gc_inline.h's clients do, with lists of their own. */
START_TEST(the_inline_lists_of_clients_work) {
    static void *lists[GC_TINY_FREELISTS];
    static char *objects[1000];
    GC_INIT();
    for (int i = 0; i < 1000; i++) {
        void *object;
        GC_FAST_MALLOC_GRANS(object, 2, lists, 0, KIND_NORMAL, GC_generic_malloc(32, KIND_NORMAL),
                             *(void **)object = NULL);
        ck_assert(is_clear(object, 32));
        memset(objects[i] = object, i, 32);
    }
    GC_gcollect();
    for (int i = 0; i < 1000; i++)
        ck_assert(objects[i][0] == (char)i && objects[i][31] == (char)i);
}
END_TEST

START_TEST(objects_are_resized) {
    GC_INIT();
    char *object = GC_malloc(100);
    memset(object, 'x', 100);
    object = GC_realloc(object, LARGE);
    ck_assert(object[99] == 'x' && is_clear(object + 112, LARGE - 112));
    memset(object, 'y', LARGE);
    object = GC_realloc(object, 50);
    ck_assert(object[0] == 'y' && object[49] == 'y');
    object = GC_realloc(object, 3 * LARGE);
    ck_assert(object[49] == 'y' && is_clear(object + 2 * LARGE, LARGE));
    ck_assert_ptr_null(GC_realloc(object, 0));
    for (int kind = KIND_ATOMIC; kind <= KIND_ATOMIC_HELD; kind++) {
        object = memset(GC_generic_or_special_malloc(60, kind), 'z', 60);
        object = GC_realloc(object, 6000);
        ck_assert_int_eq(GC_get_kind_and_size(object, NULL), kind);
        ck_assert(object[59] == 'z');
        GC_free(object);
    }
}
END_TEST

START_TEST(what_is_new_in_a_resized_object_is_clear) {
    GC_INIT();
    for (size_t bytes = 64; bytes <= 100000; bytes *= 5) {
        soil(bytes);
        char *object = memset(GC_realloc(GC_malloc(bytes / 8), bytes), 'y', bytes / 8);
        ck_assert(is_clear(object + bytes / 4, bytes - bytes / 4));
        memset(object, 'y', bytes);
        object = GC_realloc(object, bytes * 3 / 4);
        object = GC_realloc(object, bytes);
        ck_assert(object[bytes * 3 / 4 - 1] == 'y');
        ck_assert(is_clear(object + bytes * 3 / 4, bytes / 4));
    }
}
END_TEST

START_TEST(what_is_freed_is_used_again) {
    static void *watched;
    GC_INIT();
    for (int i = 0; i < 2000; i++)
        GC_free(GC_malloc_uncollectable(1 << 20));
    ck_assert_uint_lt(GC_get_heap_size(), 100 << 20);
    GC_free(NULL);
    watched = GC_malloc_atomic(1 << 20);
    void *other = GC_malloc_atomic(1 << 20);
    GC_free(watched);
    ck_assert_ptr_null(GC_base(watched));
    ck_assert_ptr_eq(GC_base(other), other);
}
END_TEST

START_TEST(addresses_are_aligned) {
    GC_INIT();
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        void *object = NULL;
        ck_assert_uint_eq((uintptr_t)GC_memalign(alignment, 100) % alignment, 0);
        ck_assert_int_eq(GC_posix_memalign(&object, alignment, 10), 0);
        ck_assert_uint_eq((uintptr_t)object % alignment, 0);
    }
    void *untouched = &untouched;
    ck_assert_int_eq(GC_posix_memalign(&untouched, 24, 10), EINVAL);
    ck_assert_ptr_eq(untouched, &untouched);
}
END_TEST

START_TEST(text_is_copied) {
    GC_INIT();
    ck_assert_str_eq(GC_strdup("text"), "text");
    ck_assert_str_eq(GC_strndup("text", 2), "te");
    ck_assert_str_eq(GC_strndup("text", 20), "text");
    ck_assert_ptr_null(GC_strdup(NULL));
    ck_assert_int_eq(GC_get_kind_and_size(GC_strdup("text"), NULL), KIND_ATOMIC);
    ck_assert_int_eq(GC_get_kind_and_size(GC_strndup("text", 3), NULL), KIND_ATOMIC);
}
END_TEST

START_TEST(small_sizes_are_told) {
    GC_INIT();
    for (int bytes = 1; bytes < 512; bytes++) {
        size_t size = GC_size(GC_malloc(bytes));
        ck_assert_uint_ge(size, bytes + 1);
        ck_assert_uint_eq(GC_get_size_map_at(bytes), size);
    }
    ck_assert_uint_eq(GC_get_size_map_at(-1), SIZE_MAX);
    ck_assert_uint_eq(GC_get_size_map_at(1 << 20), SIZE_MAX);
    ck_assert_uint_eq(GC_size(GC_malloc(16)), 32);
}
END_TEST

START_TEST(what_clients_allocate_by_themselves_is_counted) {
    GC_INIT();
    GC_disable();
    size_t since = GC_get_bytes_since_gc(), freed = GC_get_expl_freed_bytes_since_gc();
    GC_incr_bytes_allocd(1000);
    GC_incr_bytes_freed(300);
    ck_assert_uint_eq(GC_get_bytes_since_gc(), since + 1000);
    ck_assert_uint_eq(GC_get_expl_freed_bytes_since_gc(), freed + 300);
}
END_TEST

static volatile size_t impossible = SIZE_MAX;

START_TEST(too_much_is_refused) {
    GC_INIT();
    GC_set_warn_proc(ignore_warning);
    for (size_t less = 0; less < 100000; less += 4999) {
        ck_assert_ptr_null(GC_malloc(impossible - less));
        ck_assert_ptr_null(GC_malloc_atomic(impossible / 2 - less));
        ck_assert_ptr_null(GC_malloc_uncollectable(impossible - less));
    }
    ck_assert_ptr_nonnull(GC_malloc(100));
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        kept_objects_are_what_they_were_last_asked_for,
        chains_are_held_by_their_links,
        chains_of_every_kind_hold_distinct_objects,
        the_inline_lists_of_clients_work,
        objects_are_resized,
        what_is_new_in_a_resized_object_is_clear,
        what_is_freed_is_used_again,
        addresses_are_aligned,
        text_is_copied,
        small_sizes_are_told,
        what_clients_allocate_by_themselves_is_counted,
        too_much_is_refused,
    };
    enum { FUNCTIONS = sizeof functions / sizeof *functions };
    const struct looped loops[] = {
        {memory_is_as_each_function_promises, FUNCTIONS},
        {objects_hold_what_their_kind_holds, FUNCTIONS},
    };
    return SUITE_RUN_LOOPS("libgc, allocation", once, loops, 60);
}
