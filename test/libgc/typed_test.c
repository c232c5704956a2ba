/* Typed objects: what every form of descriptor keeps, and gcj's objects. */
#include "herd.h"
#include "suite.h"

#include "differences.h"

#include "gc/gc_gcj.h"
#include "gc/gc_mark.h"
#include "gc/gc_typed.h"

enum { MOST_WORDS = 200 };

static void **volatile holder;
static struct herd herd;

/* The words of the holder that a bitmap says are pointers get one to an object each; the others
 * get one, too. */
__attribute__((noinline)) static void fill(size_t words) {
    for (size_t i = 0; i < words; i++) {
        void *object = GC_malloc(16);
        holder[i] = object;
        watch(&herd, i, object);
    }
}

static bool is_pointer(const GC_word *bits, size_t word) { return GC_get_bit(bits, word) != 0; }

/* How many words that are pointers lost their object, and how many that are not kept it. The bits
 * repeat every so many words. */
struct outcome {
    int lost, kept;
};

static struct outcome outcome_of(const GC_word *bits, size_t period, size_t words) {
    struct outcome outcome = {0, 0};
    fill(words);
    collect();
    for (size_t i = 0; i < words; i++) {
        bool lives = herd.links[i] != NULL, should = is_pointer(bits, i % period);
        outcome.lost += should && !lives;
        outcome.kept += lives && !should;
    }
    return outcome;
}

static void check(const GC_word *bits, size_t period, size_t words) {
    struct outcome outcome = outcome_of(bits, period, words);
    ck_assert_int_eq(outcome.lost, 0);
    ck_assert_int_le(outcome.kept, 3);
}

static const struct form {
    GC_word bits[4];
    size_t words;
} forms[] = {
    {{0}, 20},                                           /* nothing */
    {{~(GC_word)0}, 40},                                 /* everything: a length */
    {{0xff}, 60},                                        /* a part of it */
    {{0x5555555555555}, 60},                             /* a map in the word */
    {{(GC_word)1 << 61}, 62},                            /* the last word of one */
    {{(GC_word)1 << 62 | 1}, 64},                        /* a map that is too long */
    {{0xf0f0f0f0f0f0f0f0, 0x3, 0xf000000000000000}, 200} /* longer */
};

enum { FORMS = sizeof forms / sizeof *forms };

static void *typed(size_t bytes, GC_descr descriptor) {
    return GC_malloc_explicitly_typed(bytes, descriptor);
}

static void *typed_off_page(size_t bytes, GC_descr descriptor) {
    return GC_malloc_explicitly_typed_ignore_off_page(bytes, descriptor);
}

START_TEST(descriptors_of_every_form_are_honoured) {
    const struct form *form = &forms[_i];
    void *(*const functions[])(size_t, GC_descr) = {typed, typed_off_page};
    GC_INIT();
    GC_descr descriptor = GC_make_descriptor(form->bits, form->words);
    for (int i = 0; i < 2; i++) {
        char *object = functions[i](form->words * sizeof(void *), descriptor);
        for (size_t at = 0; at < form->words * sizeof(void *); at++)
            ck_assert_int_eq(object[at], 0);
        ck_assert_ptr_eq(GC_base(object), object);
        holder = (void **)object;
        check(form->bits, form->words, form->words);
    }
}
END_TEST

START_TEST(arrays_repeat_their_descriptor) {
    static const size_t periods[] = {1, 2, 3, 5, 8, 66};
    GC_INIT();
    for (size_t i = 0; i < sizeof periods / sizeof *periods; i++) {
        GC_word bits[2] = {0x2d, 2};
        size_t period = periods[i], count = MOST_WORDS / period;
        bits[0] &= period < 64 ? ((GC_word)1 << period) - 1 : ~(GC_word)0;
        GC_descr descriptor = GC_make_descriptor(bits, period);
        holder = GC_calloc_explicitly_typed(count, period * sizeof(void *), descriptor);
        check(bits, period, count * period);
    }
}
END_TEST

START_TEST(descriptors_are_encoded_as_documented) {
    static const GC_word some[] = {5}, all[] = {0xff}, none[] = {0};
    GC_INIT();
    ck_assert_uint_eq(GC_make_descriptor(some, 3), (GC_word)5 << 61 | GC_DS_BITMAP);
    ck_assert_uint_eq(GC_make_descriptor(all, 8), 64);
    ck_assert_uint_eq(GC_make_descriptor(none, 8), 0);
    ck_assert_uint_eq(GC_make_descriptor(forms[6].bits, 200) & GC_DS_TAGS, GC_DS_PROC);
}
END_TEST

static volatile size_t many = SIZE_MAX / 2;

START_TEST(arrays_that_are_too_large_are_refused) {
    static const GC_word some[] = {5};
    GC_INIT();
    GC_set_warn_proc(ignore_warning);
    ck_assert_ptr_null(GC_calloc_explicitly_typed(many, 24, GC_make_descriptor(some, 3)));
}
END_TEST

/* gcj's: the first word leads to a table whose second word is the descriptor. */
static struct GC_ms_entry *mark_third(GC_word *object, struct GC_ms_entry *top,
                                      struct GC_ms_entry *limit, GC_word argument) {
    if (object[0] == 0 || argument != 9)
        return top;
    return GC_MARK_AND_PUSH((void *)object[2], top, limit, (void **)&object[2]);
}

typedef void *gcj_allocator(size_t bytes, void *table);

static void *gcj_debug(size_t bytes, void *table) {
    return GC_debug_gcj_malloc(bytes, table, "somewhere.c", 7);
}

static void **volatile gcj_objects[HERD];
static struct herd gcj_words[4];

__attribute__((noinline)) static void fill_gcj(gcj_allocator *allocate, void *table) {
    for (int i = 0; i < HERD; i++) {
        void **object = gcj_objects[i] = allocate(40, table);
        ck_assert(object[0] == table && object[1] == NULL && object[4] == NULL);
        for (int word = 1; word < 4; word++) {
            object[word] = GC_malloc(16);
            watch(&gcj_words[word], i, object[word]);
        }
    }
}

static int kept_gcj(gcj_allocator *allocate, GC_word descriptor) {
    static void *table[2][2];
    static int tables;
    int kept = 0;
    void **mine = table[tables++ % 2];
    mine[1] = (void *)descriptor;
    fill_gcj(allocate, mine);
    collect();
    for (int word = 1; word < 4; word++)
        kept |= (living(&gcj_words[word]) == HERD) << word;
    return kept;
}

START_TEST(tables_describe_objects) {
    gcj_allocator *const allocators[] = {GC_gcj_malloc, GC_gcj_malloc_ignore_off_page};
    GC_INIT();
    ck_assert_int_eq(GC_gcj_kind, 0);
    GC_init_gcj_malloc(GC_GCJ_RESERVED_MARK_PROC_INDEX, (void *)mark_third);
    ck_assert_int_gt(GC_gcj_kind, 3);
    ck_assert_int_gt(GC_gcj_debug_kind, 3);
    GC_word procedure = GC_MAKE_PROC((GC_word)GC_GCJ_RESERVED_MARK_PROC_INDEX, 9);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(kept_gcj(allocators[i], 16), 2);
        ck_assert_int_eq(kept_gcj(allocators[i], procedure), 4);
        ck_assert_int_eq(kept_gcj(allocators[i], (GC_word)1 << 60 | GC_DS_BITMAP), 8);
        ck_assert_int_eq(GC_get_kind_and_size((void *)gcj_objects[0], NULL), GC_gcj_kind);
    }
}
END_TEST

START_TEST(debugging_gcj_objects_keep_what_they_hold) {
    GC_INIT();
    GC_init_gcj_malloc(GC_GCJ_RESERVED_MARK_PROC_INDEX, (void *)mark_third);
    int kept = kept_gcj(gcj_debug, 32);
    if (differs(DEBUG_GCJ_WHOLE))
        ck_assert_int_eq(kept, 14);
    ck_assert_int_eq(GC_get_kind_and_size(GC_base((void *)gcj_objects[0]), NULL),
                     GC_gcj_debug_kind);
    ck_assert_int_eq((char *)gcj_objects[0] - (char *)GC_base((void *)gcj_objects[0]), 32);
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        arrays_repeat_their_descriptor,
        descriptors_are_encoded_as_documented,
        arrays_that_are_too_large_are_refused,
        tables_describe_objects,
        debugging_gcj_objects_keep_what_they_hold,
    };
    const struct looped loops[] = {{descriptors_of_every_form_are_honoured, FORMS}};
    return SUITE_RUN_LOOPS("libgc, typed objects", once, loops, 60);
}
