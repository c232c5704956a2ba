/* Roots: which memory keeps objects, as the program adds, removes, excludes and pushes it, and as
 * libraries come and go. */
#include "herd.h"
#include "suite.h"

#include "differences.h"

#include "gc/gc_mark.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void *area[HERD], *other_area[HERD];
static void *initialized_area[HERD] = {&initialized_area};
static struct herd herd;

__attribute__((noinline)) static void fill(void *volatile *words) {
    for (int i = 0; i < HERD; i++) {
        words[i] = GC_malloc(16);
        watch(&herd, i, words[i]);
    }
}

/* Whether words there keep what they lead to: 1 all of it, 0 none. */
static int keeps(void *volatile *words) {
    fill(words);
    collect();
    int count = living(&herd);
    memset((void *)words, 0, HERD * sizeof *words);
    ck_assert(count == HERD || count < FEW);
    return count == HERD;
}

static void **map_memory(void) {
    void *memory = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    return memory;
}

START_TEST(data_are_roots_and_other_memory_is_not) {
    GC_INIT();
    void **mapped = map_memory(), **allocated = malloc(sizeof area);
    void **volatile object = GC_malloc(sizeof area);
    ck_assert(keeps(area) && keeps(initialized_area) && keeps(object));
    ck_assert(!keeps(mapped) && !keeps(allocated));
    free(allocated);
    GC_reachable_here(object);
}
END_TEST

START_TEST(roots_are_added_and_removed) {
    GC_INIT();
    void **mapped = map_memory();
    GC_add_roots(mapped, mapped + HERD);
    GC_add_roots(mapped, mapped + HERD);
    ck_assert(keeps(mapped) && !keeps(mapped + HERD));
    GC_remove_roots(mapped + 1, mapped + 2 * HERD);
    ck_assert(keeps(mapped));
    GC_remove_roots(mapped, mapped + HERD);
    ck_assert(!keeps(mapped));
    GC_add_roots(mapped, mapped + HERD);
    GC_clear_roots();
    ck_assert(!keeps(mapped));
    ck_assert(keeps(area) && keeps(initialized_area));
}
END_TEST

/* Loaders of their own map segments like that. */
static void **map_file(size_t bytes) {
    FILE *file = tmpfile();
    ck_assert_int_eq(ftruncate(fileno(file), bytes), 0);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(file), 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    fclose(file);
    return memory;
}

START_TEST(segments_of_files_are_added) {
    enum { BYTES = 1 << 14, WORDS = BYTES / sizeof(void *), SPARED = 20 };
    GC_INIT();
    void **mapped = map_file(BYTES), **other = map_file(BYTES);
    GC_add_roots(mapped + WORDS / 2, mapped + WORDS - SPARED);
    GC_add_roots(mapped, mapped + WORDS - SPARED);
    GC_add_roots(other, other + WORDS / 2);
    ck_assert(keeps(mapped) && keeps(mapped + WORDS - SPARED - HERD) && keeps(other));
    GC_exclude_static_roots(mapped + HERD, mapped + 2 * HERD);
    ck_assert(keeps(mapped) && !keeps(mapped + HERD) && keeps(mapped + 2 * HERD));
    GC_remove_roots(mapped, mapped + WORDS);
    munmap(mapped, BYTES);
    ck_assert(keeps(other) && keeps(area));
}
END_TEST

START_TEST(what_is_excluded_is_no_root) {
    GC_INIT();
    void **mapped = map_memory();
    GC_exclude_static_roots(area, area + HERD);
    ck_assert(!keeps(area) && keeps(other_area));
    GC_add_roots(mapped, mapped + 3 * HERD);
    GC_exclude_static_roots(mapped + HERD, mapped + 2 * HERD);
    ck_assert(keeps(mapped) && !keeps(mapped + HERD) && keeps(mapped + 2 * HERD));
    if (differs(EXCLUSIONS_CAN_BE_TAKEN)) {
        GC_clear_exclusion_table();
        ck_assert(keeps(area) && keeps(mapped + HERD));
    }
}
END_TEST

static void **mapped;
static GC_push_other_roots_proc before;
static void (*push)(void *, void *);
static int pushes;

static void push_eagerly(void *start, void *end) { GC_push_all_eager(start, end); }
static void push_all(void *start, void *end) { GC_push_all(start, end); }
static void push_conditional(void *start, void *end) { GC_push_conditional(start, end, 1); }

static void push_mapped(void) {
    before();
    pushes++;
    push(mapped, mapped + HERD);
    GC_push_finalizer_structures();
}

START_TEST(roots_are_pushed_in_the_collection) {
    void (*const ways[])(void *, void *) = {push_all, push_eagerly, push_conditional};
    push = ways[_i];
    GC_INIT();
    mapped = map_memory();
    before = GC_get_push_other_roots();
    ck_assert_ptr_nonnull(before);
    GC_set_push_other_roots(push_mapped);
    ck_assert(GC_get_push_other_roots() == push_mapped);
    ck_assert(keeps(mapped) && pushes > 0);
    ck_assert(keeps(area));
    GC_set_push_other_roots(before);
    ck_assert(!keeps(mapped));
}
END_TEST

static void do_nothing(void *object, void *data) { (void)object, (void)data; }

__attribute__((noinline)) static void make_finalized_data(void *volatile *objects) {
    for (int i = 0; i < HERD; i++) {
        void *data = GC_malloc(16);
        watch(&herd, i, data);
        GC_register_finalizer(objects[i] = GC_malloc(16), do_nothing, data, NULL, NULL);
    }
}

START_TEST(data_of_finalizers_are_kept) {
    GC_INIT();
    make_finalized_data(area);
    collect();
    ck_assert_int_eq(living(&herd), HERD);
    memset(area, 0, sizeof area);
    collect();
    collect();
    ck_assert_int_lt(living(&herd), FEW);
}
END_TEST

START_TEST(roots_that_are_found_are_told_from_those_that_were_added) {
    int local;
    GC_INIT();
    mapped = map_memory();
    GC_add_roots(mapped, mapped + HERD);
    GC_gcollect();
    ck_assert(GC_is_tmp_root(area) && GC_is_tmp_root(initialized_area));
    ck_assert(!GC_is_tmp_root(mapped) && !GC_is_tmp_root(&local));
}
END_TEST

static const char *library_path(void) {
    const char *path = getenv("LIBGC_ROOTS_LIBRARY");
    ck_assert_msg(path != NULL, "LIBGC_ROOTS_LIBRARY must be set");
    return path;
}

START_TEST(data_of_loaded_libraries_are_roots) {
    GC_INIT();
    for (int round = 0; round < 3; round++) {
        void *library = GC_dlopen(library_path(), RTLD_NOW);
        ck_assert_msg(library != NULL, "%s", dlerror());
        ck_assert(keeps(dlsym(library, "library_slots")));
        ck_assert(keeps(dlsym(library, "library_first_slots")));
        fill(dlsym(library, "library_slots"));
        dlclose(library);
        collect();
        ck_assert_int_lt(living(&herd), FEW);
    }
}
END_TEST

/* GC_no_dls is about what is loaded by any means, before or after it was set. */
START_TEST(data_of_libraries_are_left_out_on_demand) {
    GC_set_no_dls(1);
    GC_INIT();
    void *library = dlopen(library_path(), RTLD_NOW);
    ck_assert(!keeps(dlsym(library, "library_slots")));
    if (differs(PROGRAM_STAYS_A_ROOT))
        ck_assert(keeps(area) && keeps(initialized_area));
    GC_set_no_dls(0);
    ck_assert_int_eq(GC_get_no_dls(), 0);
}
END_TEST

static int asked, refuses;

static int has_roots(const char *name, void *start, size_t bytes) {
    ck_assert(start != NULL && bytes > 0);
    bool is_ours = strstr(name, "roots_library") != NULL;
    asked += is_ours;
    return !(is_ours && refuses);
}

START_TEST(the_program_chooses_among_libraries) {
    GC_INIT();
    GC_register_has_static_roots_callback(has_roots);
    void *library = GC_dlopen(library_path(), RTLD_NOW);
    ck_assert(keeps(dlsym(library, "library_slots")));
    ck_assert_int_gt(asked, 0);
    refuses = 1;
    ck_assert(!keeps(dlsym(library, "library_slots")) && keeps(area));
    refuses = 0;
    ck_assert(keeps(dlsym(library, "library_slots")));
    dlclose(library);
}
END_TEST

/* Holds the lock of the loader's list, which a collection may not wait for. */
static int collect_in_list(struct dl_phdr_info *library, size_t bytes, void *unused) {
    (void)library, (void)bytes, (void)unused;
    for (int i = 0; i < 100; i++)
        GC_MALLOC(1 << 12);
    GC_gcollect();
    return 0;
}

static void *walk_lists(void *unused) {
    for (int i = 0; i < 5; i++)
        dl_iterate_phdr(collect_in_list, NULL);
    return unused;
}

START_TEST(the_loaders_lock_comes_before_a_collection) {
    pthread_t threads[2];
    if (!differs(LISTS_BEFORE_COLLECTIONS))
        return;
    GC_INIT();
    GC_register_has_static_roots_callback(has_roots);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(GC_pthread_create(&threads[i], NULL, walk_lists, NULL), 0);
    for (int i = 0; i < 100; i++)
        GC_gcollect();
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(GC_pthread_join(threads[i], NULL), 0);
}
END_TEST

/* What was at an address that is another library's now must not be taken for it. */
START_TEST(what_was_left_out_is_forgotten_with_its_library) {
    GC_INIT();
    GC_register_has_static_roots_callback(has_roots);
    refuses = 1;
    void *library = dlopen(library_path(), RTLD_NOW);
    ck_assert(!keeps(dlsym(library, "library_slots")));
    dlclose(library);
    GC_register_has_static_roots_callback(NULL);
    library = dlopen(library_path(), RTLD_NOW);
    ck_assert(keeps(dlsym(library, "library_slots")));
}
END_TEST

/* Pointers in nothing but registers or the frame of a caller. */
__attribute__((noinline)) static int sum_of_kept(void) {
    void *volatile objects[HERD];
    fill(objects);
    GC_gcollect();
    GC_gcollect();
    int count = living(&herd);
    GC_reachable_here(objects[0]);
    return count;
}

START_TEST(stacks_are_roots) {
    GC_INIT();
    ck_assert_int_eq(sum_of_kept(), HERD);
    collect();
    ck_assert_int_lt(living(&herd), HERD / 3);
}
END_TEST

static struct GC_ms_entry *mark_second(GC_word *object, struct GC_ms_entry *top,
                                       struct GC_ms_entry *limit, GC_word argument) {
    (void)argument;
    return GC_mark_and_push((void *)object[1], top, limit, (void **)&object[1]);
}

/* The bounds that GC_MARK_AND_PUSH compares with; and the function by itself. */
START_TEST(marking_takes_any_address) {
    GC_INIT();
    unsigned kind =
        GC_new_kind(GC_new_free_list(), GC_MAKE_PROC((GC_word)GC_new_proc(mark_second), 0), 0, 1);
    void **volatile holder = GC_generic_malloc(32, (int)kind);
    for (int i = 0; i < HERD; i++) {
        void *inner = GC_malloc(16);
        ck_assert(inner >= GC_least_plausible_heap_addr &&
                  inner <= GC_greatest_plausible_heap_addr);
        GC_reachable_here(inner);
    }
    void *const addresses[] = {NULL, (void *)1, area, (void *)-1, GC_malloc(16)};
    for (int i = 0; i < 5; i++) {
        holder[1] = addresses[i];
        collect();
    }
    ck_assert_ptr_eq(GC_base(holder[1]), holder[1]);
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        data_are_roots_and_other_memory_is_not,
        roots_are_added_and_removed,
        segments_of_files_are_added,
        what_is_excluded_is_no_root,
        data_of_finalizers_are_kept,
        roots_that_are_found_are_told_from_those_that_were_added,
        data_of_loaded_libraries_are_roots,
        data_of_libraries_are_left_out_on_demand,
        the_program_chooses_among_libraries,
        the_loaders_lock_comes_before_a_collection,
        what_was_left_out_is_forgotten_with_its_library,
        stacks_are_roots,
        marking_takes_any_address,
    };
    const struct looped loops[] = {{roots_are_pushed_in_the_collection, 3}};
    return SUITE_RUN_LOOPS("libgc, roots", once, loops, 60);
}
