/* libgc's interface as its programs use it: what survives, what dies, who is called when.
 *
 * Collecting is conservative, so a test that wants objects dead makes hundreds of them in a frame
 * of their own and asks for most.
 */
#define GC_THREADS
#define GC_NO_THREAD_REDIRECTS
#include "suite.h"

#include "gc/gc.h"
#include "gc/gc_disclaim.h"
#include "gc/gc_mark.h"
#include "gc/gc_typed.h"
#include "gc/javaxfc.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HERD = 300, MOST = 280, FEW = 20 };

static int called;

static void count_call(void *object, void *data) {
    (void)object;
    called += (int)(intptr_t)data;
}

__attribute__((noinline)) static void clear_stack(void) {
    volatile char frame[20000];
    memset((void *)frame, 0, sizeof frame);
}

static void collect(void) {
    for (int i = 0; i < 2; i++) {
        clear_stack();
        GC_gcollect();
    }
    GC_invoke_finalizers();
}

/* Hidden addresses of a herd; a link that was cleared is 0. */
struct herd {
    void *links[HERD];
};

static int living(const struct herd *herd) {
    int count = 0;
    for (int i = 0; i < HERD; i++)
        count += herd->links[i] != NULL;
    return count;
}

static void watch(struct herd *herd, int index, void *object) {
    herd->links[index] = (void *)GC_HIDE_POINTER(object);
    ck_assert_int_eq(GC_general_register_disappearing_link(&herd->links[index], object),
                     GC_SUCCESS);
}

static struct herd first, second, third;

typedef void registrar(void *, GC_finalization_proc, void *, GC_finalization_proc *, void **);

__attribute__((noinline)) static void make_finalized(registrar *with, bool to_itself) {
    for (int i = 0; i < HERD; i++) {
        void **object = GC_MALLOC(32);
        if (to_itself)
            object[0] = object;
        with(object, count_call, (void *)1, NULL, NULL);
    }
}

static int finalized(registrar *with, bool to_itself) {
    called = 0;
    make_finalized(with, to_itself);
    collect();
    return called;
}

static void ignore_warning(char *message, GC_word word) { (void)message, (void)word; }

START_TEST(finalizers_are_called_in_every_order) {
    GC_INIT();
    GC_set_warn_proc(ignore_warning);
    ck_assert_int_gt(finalized(GC_register_finalizer, false), MOST);
    ck_assert_int_lt(finalized(GC_register_finalizer, true), FEW);
    ck_assert_int_gt(finalized(GC_register_finalizer_ignore_self, true), MOST);
    ck_assert_int_gt(finalized(GC_register_finalizer_no_order, true), MOST);
    ck_assert_int_gt(finalized(GC_register_finalizer_unreachable, false), MOST);
}
END_TEST

START_TEST(a_finalizer_is_replaced_and_removed) {
    GC_finalization_proc old = NULL;
    void *data = NULL, *object = GC_MALLOC(32);
    GC_register_finalizer(object, count_call, (void *)5, &old, &data);
    ck_assert_ptr_null(old);
    GC_register_finalizer(object, NULL, NULL, &old, &data);
    ck_assert(old == count_call);
    ck_assert_ptr_eq(data, (void *)5);
    GC_register_finalizer(object, count_call, (void *)7, NULL, NULL);
    called = 0;
    GC_finalize_all();
    ck_assert_int_eq(called, 7);
}
END_TEST

__attribute__((noinline)) static void make_linked(void) {
    for (int i = 0; i < HERD; i++) {
        void *object = GC_MALLOC(32);
        watch(&first, i, object);
        second.links[i] = (void *)GC_HIDE_POINTER(object);
        GC_register_long_link(&second.links[i], object);
        GC_register_finalizer_no_order(object, count_call, (void *)1, NULL, NULL);
    }
}

START_TEST(short_links_go_before_finalizers_and_long_ones_after) {
    GC_INIT();
    GC_set_finalize_on_demand(1);
    make_linked();
    clear_stack();
    GC_gcollect();
    ck_assert_int_lt(living(&first), FEW);
    ck_assert_int_gt(living(&second), MOST);
    ck_assert(GC_should_invoke_finalizers());
    ck_assert_int_gt(GC_invoke_finalizers(), MOST);
    collect();
    ck_assert_int_lt(living(&second), FEW);
}
END_TEST

START_TEST(links_are_moved_and_taken_back) {
    static void *link, *other;
    void *object = GC_MALLOC(16);
    ck_assert_int_eq(GC_general_register_disappearing_link(&link, object), GC_SUCCESS);
    ck_assert_int_eq(GC_general_register_disappearing_link(&link, object), GC_DUPLICATE);
    ck_assert_int_eq(GC_move_disappearing_link(&link, &other), GC_SUCCESS);
    ck_assert_int_eq(GC_move_disappearing_link(&link, &other), GC_NOT_FOUND);
    ck_assert_int_eq(GC_unregister_disappearing_link(&link), 0);
    ck_assert_int_eq(GC_unregister_disappearing_link(&other), 1);
}
END_TEST

static GC_ToggleRefStatus answer(void *object) {
    return *(long *)object == 1 ? GC_TOGGLE_REF_STRONG : GC_TOGGLE_REF_WEAK;
}

__attribute__((noinline)) static void make_toggled(struct herd *herd, long kind) {
    for (int i = 0; i < HERD; i++) {
        long *object = GC_MALLOC(24);
        *object = kind;
        ck_assert_int_eq(GC_toggleref_add(object, 1), GC_SUCCESS);
        watch(herd, i, object);
    }
}

START_TEST(toggled_objects_live_as_the_program_says) {
    GC_INIT();
    GC_set_toggleref_func(answer);
    make_toggled(&first, 1);
    make_toggled(&second, 2);
    collect();
    ck_assert_int_eq(living(&first), HERD);
    ck_assert_int_lt(living(&second), FEW);
}
END_TEST

static void **holders[HERD];

/* Each holder has one object in each of its first three words. */
__attribute__((noinline)) static void fill_holders(void) {
    struct herd *const herds[] = {&first, &second, &third};
    for (int i = 0; i < HERD; i++)
        for (int word = 0; word < 3; word++) {
            holders[i][word] = GC_MALLOC(16);
            watch(herds[word], i, holders[i][word]);
        }
}

START_TEST(typed_objects_hold_what_their_descriptor_says) {
    GC_word bits[] = {5};
    GC_INIT();
    GC_descr descriptor = GC_make_descriptor(bits, 3);
    ck_assert_uint_eq(descriptor, 0xa000000000000001u);
    for (int i = 0; i < HERD; i++)
        holders[i] = GC_malloc_explicitly_typed(24, descriptor);
    fill_holders();
    collect();
    ck_assert_int_eq(living(&first), HERD);
    ck_assert_int_lt(living(&second), FEW);
    ck_assert_int_eq(living(&third), HERD);
}
END_TEST

static struct GC_ms_entry *mark_second(GC_word *object, struct GC_ms_entry *top,
                                       struct GC_ms_entry *limit, GC_word argument) {
    (void)argument;
    return GC_MARK_AND_PUSH((void *)object[1], top, limit, (void **)&object[1]);
}

START_TEST(mark_procedures_tell_what_lives) {
    GC_INIT();
    unsigned procedure = GC_new_proc(mark_second);
    unsigned kind = GC_new_kind(GC_new_free_list(), GC_MAKE_PROC(procedure, 0), 0, 1);
    for (int i = 0; i < HERD; i++)
        holders[i] = GC_generic_malloc(24, (int)kind);
    fill_holders();
    collect();
    ck_assert_int_lt(living(&first), FEW);
    ck_assert_int_eq(living(&second), HERD);
    ck_assert_int_lt(living(&third), FEW);
    ck_assert_int_eq(GC_get_kind_and_size(holders[0], NULL), (int)kind);
}
END_TEST

__attribute__((noinline)) static void make_closures(const struct GC_finalizer_closure *closure) {
    for (int i = 0; i < HERD; i++)
        GC_finalized_malloc(24, closure);
}

START_TEST(finalized_objects_run_their_closure) {
    static const struct GC_finalizer_closure closure = {count_call, (void *)1};
    GC_INIT();
    GC_init_finalized_malloc();
    called = 0;
    make_closures(&closure);
    collect();
    ck_assert_int_gt(called, MOST);
}
END_TEST

static char events[16];
static int event_count;

static void note_event(GC_EventType event) {
    if (event_count < 15)
        events[event_count++] = (char)('0' + event);
}

START_TEST(events_come_in_order) {
    GC_INIT();
    GC_set_on_collection_event(note_event);
    GC_gcollect();
    GC_set_on_collection_event(NULL);
    ck_assert_str_eq(events, "0671289345");
}
END_TEST

static volatile unsigned long spins;
static volatile bool enough;

static void *spin(void *argument) {
    struct GC_stack_base base;
    ck_assert_int_eq(GC_get_stack_base(&base), GC_SUCCESS);
    ck_assert_int_eq(GC_register_my_thread(&base), GC_SUCCESS);
    ck_assert_int_eq(GC_register_my_thread(&base), GC_DUPLICATE);
    while (!enough)
        spins++;
    ck_assert_int_eq(GC_unregister_my_thread(), GC_SUCCESS);
    return argument;
}

static bool spins_on(void) {
    unsigned long before = spins;
    usleep(20000);
    return spins != before;
}

START_TEST(threads_are_suspended_and_stopped) {
    pthread_t thread;
    GC_INIT();
    GC_allow_register_threads();
    pthread_create(&thread, NULL, spin, NULL);
    while (spins == 0)
        usleep(100);
    GC_suspend_thread(thread);
    ck_assert(GC_is_thread_suspended(thread) && !spins_on());
    GC_gcollect();
    ck_assert(!spins_on());
    GC_resume_thread(thread);
    ck_assert(spins_on());
    GC_stop_world_external();
    bool went_on = spins_on();
    GC_start_world_external();
    ck_assert(!went_on && spins_on());
    enough = true;
    pthread_join(thread, NULL);
}
END_TEST

/* What guile's thread for signals does, by the C library's function. */
static void *spin_deaf(void *argument) {
    struct GC_stack_base base;
    sigset_t set;
    sigfillset(&set);
    sigdelset(&set, GC_get_suspend_signal());
    ck_assert_int_eq(GC_get_stack_base(&base), GC_SUCCESS);
    ck_assert_int_eq(GC_register_my_thread(&base), GC_SUCCESS);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
    while (!enough)
        spins++;
    ck_assert_int_eq(GC_unregister_my_thread(), GC_SUCCESS);
    return argument;
}

START_TEST(threads_may_block_all_signals_but_the_one_that_stops) {
    pthread_t thread;
    GC_INIT();
    GC_allow_register_threads();
    pthread_create(&thread, NULL, spin_deaf, NULL);
    while (spins == 0)
        usleep(100);
    ck_assert_int_eq(GC_try_to_collect(GC_get_stop_func()), 1);
    enough = true;
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_forked_child_collects) {
    GC_INIT();
    GC_gcollect();
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 300000; i++)
            GC_MALLOC(40);
        GC_gcollect();
        _exit(GC_get_heap_size() < 100 << 20 ? 7 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}
END_TEST

/* More waits to be read than a marker can hold, in whole spans of grey pairs that lead to others.
 */
START_TEST(wide_graphs_are_marked) {
    enum { PAIRS = 40000 };
    GC_INIT();
    uintptr_t ***pairs = GC_malloc(PAIRS * sizeof *pairs);
    for (uintptr_t i = 0; i < PAIRS; i++)
        pairs[i] = GC_malloc(2 * sizeof **pairs);
    for (uintptr_t i = 0; i < PAIRS; i++)
        for (int side = 0; side < 2; side++) {
            pairs[i][side] = GC_malloc(2 * sizeof ***pairs);
            pairs[i][side][1] = 2 * i + side;
        }
    for (int round = 0; round < 5; round++) {
        GC_gcollect();
        for (int i = 0; i < PAIRS; i++)
            GC_malloc(2 * sizeof ***pairs);
    }
    for (uintptr_t i = 0; i < PAIRS; i++)
        for (int side = 0; side < 2; side++)
            ck_assert_uint_eq(pairs[i][side][1], 2 * i + side);
}
END_TEST

START_TEST(objects_are_found_and_resized) {
    GC_INIT();
    char *object = GC_MALLOC(100), *chain = GC_malloc_many(40);
    ck_assert_ptr_eq(GC_base(object + 99), object);
    ck_assert_uint_ge(GC_size(object), 100);
    ck_assert(GC_is_heap_ptr(object) && !GC_is_heap_ptr(&object));
    memset(object, 'x', 100);
    object = GC_REALLOC(object, 100000);
    ck_assert(object[99] == 'x' && object[50000] == 0);
    ck_assert_ptr_null(GC_REALLOC(object, 0));
    ck_assert_ptr_nonnull(chain);
    for (char *next; chain; chain = next) {
        next = GC_NEXT(chain);
        ck_assert_int_eq(chain[39], 0);
    }
    ck_assert_uint_eq((uintptr_t)GC_memalign(256, 100) % 256, 0);
    ck_assert_int_eq(GC_get_kind_and_size(GC_MALLOC_UNCOLLECTABLE(50), NULL), 2);
    ck_assert_str_eq(GC_STRDUP("text"), "text");
}
END_TEST

START_TEST(debugging_objects_have_a_header) {
    GC_INIT();
    char *object = GC_debug_malloc(20, "here", 1);
    ck_assert_int_eq(object - (char *)GC_base(object), (int)GC_get_debug_header_size());
    GC_debug_free(object);
}
END_TEST

START_TEST(collecting_is_switched_off_and_on) {
    GC_INIT();
    GC_word before = GC_get_gc_no();
    GC_disable();
    ck_assert(GC_is_disabled());
    GC_gcollect();
    ck_assert_uint_eq(GC_get_gc_no(), before);
    GC_enable();
    GC_gcollect();
    ck_assert_uint_eq(GC_get_gc_no(), before + 1);
    ck_assert_int_eq(GC_try_to_collect(GC_get_stop_func()), 1);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        finalizers_are_called_in_every_order,
        a_finalizer_is_replaced_and_removed,
        short_links_go_before_finalizers_and_long_ones_after,
        links_are_moved_and_taken_back,
        toggled_objects_live_as_the_program_says,
        typed_objects_hold_what_their_descriptor_says,
        mark_procedures_tell_what_lives,
        finalized_objects_run_their_closure,
        events_come_in_order,
        threads_are_suspended_and_stopped,
        threads_may_block_all_signals_but_the_one_that_stops,
        a_forked_child_collects,
        wide_graphs_are_marked,
        objects_are_found_and_resized,
        debugging_objects_have_a_header,
        collecting_is_switched_off_and_on,
    };
    return SUITE_RUN("libgc", tests, 60);
}
