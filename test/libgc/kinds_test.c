/* Kinds of the program's own: descriptors, mark procedures, mark bits, procedures that are asked
 * before an object goes. */
#include "herd.h"
#include "suite.h"

#include "captured.h"
#include "differences.h"

#include "gc/gc_disclaim.h"
#include "gc/gc_mark.h"

static void **volatile holders[HERD];
static struct herd words[3], herd;

/* Each holder has an object in each of its first three words. */
__attribute__((noinline)) static void fill_holders(int kind) {
    for (int i = 0; i < HERD; i++) {
        holders[i] = GC_generic_malloc(24, kind);
        for (int word = 0; word < 3; word++) {
            holders[i][word] = GC_malloc(16);
            watch(&words[word], i, holders[i][word]);
        }
    }
}

/* A bit for each word that keeps what it leads to; -1 when some do and some do not. */
static int kept_words(int kind) {
    int kept = 0;
    fill_holders(kind);
    collect();
    for (int word = 0; word < 3; word++) {
        int count = living(&words[word]);
        if (count != HERD && count > FEW)
            return -1;
        kept |= (count == HERD) << word;
    }
    return kept;
}

static unsigned new_kind(GC_word descriptor, int adds_size) {
    return GC_new_kind(GC_new_free_list(), descriptor, adds_size, 1);
}

START_TEST(descriptors_of_kinds_are_honoured) {
    GC_INIT();
    ck_assert_int_eq(kept_words(new_kind(0, 0)), 0);
    ck_assert_int_eq(kept_words(new_kind(8, 0)), 1);
    ck_assert_int_eq(kept_words(new_kind(16, 0)), 3);
    ck_assert_int_eq(kept_words(new_kind(0, 1)), 7);
    ck_assert_int_eq(kept_words(new_kind((GC_word)5 << 61 | GC_DS_BITMAP, 0)), 5);
}
END_TEST

/* The descriptor is the last word of each object. */
START_TEST(an_object_may_hold_its_descriptor) {
    GC_INIT();
    int kind = new_kind(24 | GC_DS_PER_OBJECT, 0);
    for (int i = 0; i < HERD; i++) {
        holders[i] = GC_generic_malloc(32, kind);
        holders[i][3] = (void *)(i % 2 ? (GC_word)0 : (GC_word)24);
        holders[i][1] = GC_malloc(16);
        watch(&herd, i, holders[i][1]);
    }
    collect();
    int odd = 0, even = 0;
    for (int i = 0; i < HERD; i++)
        *(i % 2 ? &odd : &even) += herd.links[i] != NULL;
    ck_assert_int_eq(even, HERD / 2);
    ck_assert_int_lt(odd, FEW);
}
END_TEST

static int calls;

/* Keeps the word whose number it gets. */
static struct GC_ms_entry *mark_word(GC_word *object, struct GC_ms_entry *top,
                                     struct GC_ms_entry *limit, GC_word word) {
    __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    return GC_MARK_AND_PUSH((void *)object[word], top, limit, (void **)&object[word]);
}

START_TEST(mark_procedures_tell_what_lives) {
    GC_INIT();
    GC_word procedure = GC_new_proc(mark_word);
    ck_assert_uint_ge(procedure, GC_RESERVED_MARK_PROCS);
    for (GC_word word = 0; word < 3; word++) {
        calls = 0;
        int kind = new_kind(GC_MAKE_PROC(procedure, word), 0);
        ck_assert_int_eq(kept_words(kind), 1 << word);
        ck_assert_int_ge(calls, HERD);
        ck_assert_int_eq(GC_get_kind_and_size(holders[0], NULL), kind);
    }
}
END_TEST

static struct GC_ms_entry *mark_by_bit(GC_word *object, struct GC_ms_entry *top,
                                       struct GC_ms_entry *limit, GC_word word) {
    (void)limit;
    GC_set_mark_bit((void *)object[word]);
    return top;
}

/* In a heap so large that it is marked beside the program, but for the procedures. */
START_TEST(mark_procedures_may_set_mark_bits) {
    static void *volatile large;
    GC_INIT();
    large = GC_malloc_atomic(100 << 20);
    int kind = new_kind(GC_MAKE_PROC(GC_new_proc(mark_by_bit), 1), 0);
    ck_assert_int_eq(kept_words(kind), 2);
    GC_free(large);
}
END_TEST

enum { WRITTEN_BYTES = 64 << 20, PAGE_BYTES = 4096 };

static GC_word *volatile written;
static volatile bool writing;

static struct GC_ms_entry *count_call(GC_word *object, struct GC_ms_entry *top,
                                      struct GC_ms_entry *limit, GC_word word) {
    (void)object, (void)limit, (void)word;
    __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    return top;
}

static void *write_all_over(void *context) {
    for (size_t page = 0; writing; page = (page + 7919) % (WRITTEN_BYTES / PAGE_BYTES))
        written[page * PAGE_BYTES / sizeof(GC_word)] = page;
    return context;
}

/* Every written page of the object is read again, its procedure is not run for each of them. */
START_TEST(mark_procedures_run_once_a_collection) {
    enum { COLLECTIONS = 5 };
    pthread_t thread;
    GC_INIT();
    int kind = new_kind(GC_MAKE_PROC(GC_new_proc(count_call), 0), 0);
    written = GC_generic_malloc(WRITTEN_BYTES, kind);
    writing = true;
    ck_assert_int_eq(GC_pthread_create(&thread, NULL, write_all_over, NULL), 0);
    for (int i = 0; i < COLLECTIONS; i++)
        GC_gcollect();
    writing = false;
    GC_pthread_join(thread, NULL);
    ck_assert_int_ge(calls, COLLECTIONS);
    ck_assert_int_le(calls, 2 * COLLECTIONS);
}
END_TEST

/* With the lock held, as a runtime does that makes its kinds lazily. */
static void *make_kind(void *kind) {
    void **list = GC_new_free_list_inner();
    GC_word procedure = GC_new_proc_inner(mark_word);
    *(int *)kind = GC_new_kind_inner(list, GC_MAKE_PROC(procedure, 1), 0, 1);
    return list;
}

START_TEST(kinds_are_made_with_the_lock_held) {
    int kind = 0;
    GC_INIT();
    for (int i = 0; i < 100000; i++)
        GC_reachable_here(GC_malloc(64));
    void **list = GC_call_with_alloc_lock(make_kind, &kind);
    for (int i = 0; i < 129; i++)
        ck_assert_ptr_null(list[i]);
    ck_assert_int_gt(kind, 3);
    ck_assert_int_eq(kept_words(kind), 2);
}
END_TEST

START_TEST(free_lists_stay_as_they_are) {
    GC_INIT();
    void **volatile list = GC_new_free_list();
    for (int i = 0; i < 129; i++)
        ck_assert_ptr_null(list[i]);
    list[5] = &calls;
    collect();
    ck_assert_ptr_eq(list[5], &calls);
    list[5] = NULL;
}
END_TEST

/* What a thread has freed may be shown to a procedure, but not with what the object held. */
static int freed_words;

static struct GC_ms_entry *count_freed(GC_word *object, struct GC_ms_entry *top,
                                       struct GC_ms_entry *limit, GC_word word) {
    (void)limit, (void)word;
    freed_words += object[1] == 77;
    return top;
}

START_TEST(freed_objects_are_clear_for_procedures) {
    static GC_word *volatile objects[HERD];
    GC_INIT();
    int kind = new_kind(GC_MAKE_PROC((GC_word)GC_new_proc(count_freed), 0), 0);
    for (int i = 0; i < HERD; i++) {
        objects[i] = GC_generic_malloc(32, kind);
        objects[i][1] = 77;
    }
    GC_gcollect();
    ck_assert_int_ge(freed_words, HERD);
    for (int i = 0; i < HERD; i++)
        GC_free((void *)objects[i]);
    freed_words = 0;
    GC_gcollect();
    ck_assert_int_eq(freed_words, 0);
}
END_TEST

static GC_push_other_roots_proc before;
static void *hidden_object;
static int marked_before, marked_after, marked_cleared;

static void set_mark(void) {
    void *object = GC_REVEAL_POINTER(hidden_object);
    before();
    marked_before = GC_is_marked(object) != 0;
    GC_set_mark_bit(object);
    marked_after = GC_is_marked(object) != 0;
}

static void set_and_clear_mark(void) {
    set_mark();
    GC_clear_mark_bit(GC_REVEAL_POINTER(hidden_object));
    marked_cleared = GC_is_marked(GC_REVEAL_POINTER(hidden_object)) != 0;
}

__attribute__((noinline)) static void make_hidden(void) {
    void *objects[20];
    for (int i = 0; i < 20; i++)
        objects[i] = GC_malloc_atomic(16);
    hidden_object = (void *)GC_HIDE_POINTER(objects[10]);
    watch(&herd, 0, objects[10]);
}

START_TEST(mark_bits_are_read_and_written_in_a_collection) {
    GC_INIT();
    before = GC_get_push_other_roots();
    make_hidden();
    clear_stack();
    GC_set_push_other_roots(set_mark);
    GC_gcollect();
    ck_assert_int_eq(marked_before, 0);
    ck_assert_int_eq(marked_after, 1);
    ck_assert_ptr_nonnull(herd.links[0]);
    GC_set_push_other_roots(set_and_clear_mark);
    clear_stack();
    GC_gcollect();
    ck_assert_int_eq(marked_cleared, 0);
    GC_set_push_other_roots(before);
    collect();
    ck_assert_ptr_null(herd.links[0]);
}
END_TEST

static void *volatile survivor;
static int marked_at_start;

static void look_at_start(void) { marked_at_start += GC_is_marked(survivor) != 0; }

START_TEST(marks_of_the_last_collection_are_there_when_the_next_starts) {
    GC_INIT();
    survivor = GC_malloc(16);
    GC_gcollect();
    GC_set_start_callback(look_at_start);
    GC_gcollect();
    GC_gcollect();
    ck_assert_int_eq(marked_at_start, 2);
    ck_assert(GC_is_marked(survivor));
    if (differs(NO_MARKS_BETWEEN)) {
        GC_clear_mark_bit(survivor);
        ck_assert(GC_is_marked(survivor));
    }
}
END_TEST

static int asked, whole, kept_once;

static int ask(void *object) {
    GC_word *const *words = object;
    if (words[0] == NULL)
        return 0;
    whole += *words[0] == 99;
    asked++;
    return kept_once-- > 0;
}

/* Each leads to an object that must be whole when it is asked about. */
__attribute__((noinline)) static void make_asked(int kind) {
    for (int i = 0; i < HERD; i++) {
        GC_word **object = GC_generic_malloc(24, kind);
        GC_word *held = GC_malloc_atomic(16);
        *held = 99;
        object[0] = held;
    }
}

/* Debian's library asks when it reuses the memory. */
static void collect_and_reuse(int kind) {
    collect();
    for (int i = 0; i < 4 * HERD; i++)
        GC_reachable_here(GC_generic_malloc(24, kind));
    clear_stack();
}

START_TEST(procedures_are_asked_about_dead_objects) {
    GC_INIT();
    int kind = new_kind(0, 1);
    GC_register_disclaim_proc(kind, ask, 1);
    make_asked(kind);
    collect_and_reuse(kind);
    ck_assert_int_gt(asked, MOST);
    ck_assert_int_gt(whole, MOST);
    asked = 0;
    kept_once = HERD;
    make_asked(kind);
    collect_and_reuse(kind);
    collect_and_reuse(kind);
    ck_assert_int_gt(asked, differs(DISCLAIMED_IN_THE_STOP) ? HERD + MOST : MOST);
}
END_TEST

static int closed;

static void close_object(void *object, void *data) {
    closed += *(long *)object == 7 && data == &closed;
}

__attribute__((noinline)) static void make_closures(const struct GC_finalizer_closure *closure) {
    for (int i = 0; i < HERD; i++)
        *(long *)GC_finalized_malloc(24, closure) = 7;
}

START_TEST(finalized_objects_run_their_closure) {
    static const struct GC_finalizer_closure closure = {close_object, &closed};
    GC_INIT();
    GC_init_finalized_malloc();
    long *volatile live = GC_finalized_malloc(24, &closure);
    ck_assert_int_eq((char *)live - (char *)GC_base((void *)live), sizeof(void *));
    make_closures(&closure);
    for (int i = 0; i < 3; i++) {
        collect();
        for (int j = 0; j < 4 * HERD; j++)
            GC_reachable_here(GC_finalized_malloc(24, &closure));
    }
    ck_assert_int_gt(closed, MOST);
    ck_assert_int_le(closed, HERD);
    GC_reachable_here(live);
}
END_TEST

static void describe(void *object, char *text) {
    (void)object;
    strcpy(text, "a thing of ours");
}

static char *volatile damaged;

static void check_damaged(void) {
    GC_gcollect();
    GC_gcollect();
}

START_TEST(objects_are_described_by_their_kind) {
    GC_INIT();
    int kind = new_kind(0, 1);
    GC_register_describe_type_fn(kind, describe);
    damaged = GC_debug_generic_or_special_malloc(24, kind, "somewhere.c", 7);
    memset(damaged, 1, 32);
    const char *text = captured(STDERR_FILENO, check_damaged);
    ck_assert_ptr_nonnull(strstr(text, "somewhere.c:7"));
    if (differs(DAMAGED_ARE_DESCRIBED))
        ck_assert_ptr_nonnull(strstr(text, "a thing of ours"));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        descriptors_of_kinds_are_honoured,
        an_object_may_hold_its_descriptor,
        mark_procedures_tell_what_lives,
        mark_procedures_may_set_mark_bits,
        mark_procedures_run_once_a_collection,
        kinds_are_made_with_the_lock_held,
        free_lists_stay_as_they_are,
        freed_objects_are_clear_for_procedures,
        mark_bits_are_read_and_written_in_a_collection,
        marks_of_the_last_collection_are_there_when_the_next_starts,
        procedures_are_asked_about_dead_objects,
        finalized_objects_run_their_closure,
        objects_are_described_by_their_kind,
    };
    return SUITE_RUN("libgc, kinds", tests, 60);
}
