/* Finalizers, weak links and toggle references: who is called when, and what is cleared. */
#include "herd.h"
#include "suite.h"

#include "captured.h"

#include "gc/javaxfc.h"

static int called;
static struct herd first, second;

static void count_call(void *object, void *data) {
    ck_assert_ptr_eq(GC_base(object), object);
    called += (int)(intptr_t)data;
}

typedef void registrar(void *, GC_finalization_proc, void *, GC_finalization_proc *, void **);

static registrar *const registrars[] = {GC_register_finalizer, GC_register_finalizer_ignore_self,
                                        GC_register_finalizer_no_order,
                                        GC_register_finalizer_unreachable};

enum { ORDERED, IGNORE_SELF, NO_ORDER, UNREACHABLE, ORDERS };

static int calls_of(int rounds) {
    called = 0;
    for (int i = 0; i < rounds; i++) {
        clear_stack();
        GC_gcollect();
        GC_invoke_finalizers();
    }
    return called;
}

__attribute__((noinline)) static void make_finalized(registrar *with, bool to_itself) {
    for (int i = 0; i < HERD; i++) {
        void **object = GC_malloc(32);
        if (to_itself)
            object[1] = object;
        with(object, count_call, (void *)1, NULL, NULL);
    }
}

START_TEST(finalizers_are_called_in_every_order) {
    GC_INIT();
    GC_set_warn_proc(ignore_warning);
    make_finalized(registrars[_i], false);
    ck_assert_int_gt(calls_of(2), MOST);
    ck_assert_int_lt(calls_of(1), FEW);
    make_finalized(registrars[_i], true);
    int calls = calls_of(2);
    if (_i == ORDERED || _i == UNREACHABLE)
        ck_assert_int_lt(calls, FEW);
    else
        ck_assert_int_gt(calls, MOST);
}
END_TEST

/* The first of each pair adds 1000, what it leads to adds 1. */
__attribute__((noinline)) static void make_pairs(registrar *with) {
    for (int i = 0; i < HERD; i++) {
        void **one = GC_malloc(32), **other = GC_malloc(32);
        one[1] = other;
        with(one, count_call, (void *)1000, NULL, NULL);
        with(other, count_call, (void *)1, NULL, NULL);
    }
}

START_TEST(an_object_waits_for_those_that_lead_to_it) {
    GC_INIT();
    GC_set_finalize_on_demand(1);
    make_pairs(registrars[_i]);
    int calls = calls_of(1);
    ck_assert_int_gt(calls / 1000, MOST);
    if (_i == NO_ORDER)
        ck_assert_int_gt(calls % 1000, MOST);
    else
        ck_assert_int_lt(calls % 1000, FEW);
    calls += calls_of(2);
    ck_assert_int_gt(calls % 1000, MOST);
}
END_TEST

/* What waits until nothing leads to it waits also for what others find ready at once. */
__attribute__((noinline)) static void make_mixed_pairs(void) {
    for (int i = 0; i < HERD; i++) {
        void **one = GC_malloc(32), **other = GC_malloc(32);
        one[1] = other;
        GC_register_finalizer_no_order(one, count_call, (void *)1000, NULL, NULL);
        GC_register_finalizer_unreachable(other, count_call, (void *)1, NULL, NULL);
    }
}

START_TEST(the_unreachable_wait_for_those_without_order) {
    GC_INIT();
    GC_set_finalize_on_demand(1);
    make_mixed_pairs();
    int calls = calls_of(1);
    ck_assert_int_gt(calls / 1000, MOST);
    ck_assert_int_lt(calls % 1000, FEW);
    calls += calls_of(2);
    ck_assert_int_gt(calls % 1000, MOST);
}
END_TEST

static void *revived;

static void revive(void *object, void *data) {
    revived = object;
    called += ((long *)object)[1] == 77 && data == &called;
}

__attribute__((noinline)) static void make_revivable(void) {
    for (int i = 0; i < HERD; i++) {
        long *object = GC_malloc(32);
        object[1] = 77;
        watch(&first, i, object);
        GC_register_finalizer(object, revive, &called, NULL, NULL);
    }
}

START_TEST(objects_are_whole_in_their_finalizer_and_may_be_revived) {
    GC_INIT();
    make_revivable();
    ck_assert_int_gt(calls_of(1), MOST);
    ck_assert_int_lt(living(&first), FEW);
    collect();
    ck_assert_ptr_eq(GC_base(revived), revived);
    ck_assert_int_eq(((long *)revived)[1], 77);
}
END_TEST

START_TEST(a_finalizer_is_replaced_and_removed) {
    GC_finalization_proc old = NULL;
    void *data = NULL, *object = GC_malloc(32);
    registrar *with = registrars[_i];
    with(object, count_call, (void *)5, &old, &data);
    ck_assert(old == NULL && data == NULL);
    with(object, revive, (void *)6, &old, &data);
    ck_assert(old == count_call && data == (void *)5);
    with(object, NULL, NULL, &old, &data);
    ck_assert(old == revive && data == (void *)6);
    with(object, NULL, NULL, &old, &data);
    ck_assert_ptr_null(old);
    called = 0;
    GC_finalize_all();
    ck_assert_int_eq(called, 0);
}
END_TEST

static void register_more(void *object, void *data) {
    called += (int)(intptr_t)data;
    if (data == (void *)100)
        GC_register_finalizer(object, count_call, (void *)1, NULL, NULL);
}

START_TEST(all_finalizers_are_called_at_the_end) {
    GC_INIT();
    void *volatile object = GC_malloc(32);
    GC_register_finalizer(object, register_more, (void *)100, NULL, NULL);
    GC_finalize_all();
    ck_assert_int_eq(called, 101);
    GC_reachable_here(object);
}
END_TEST

static int notified, notified_ready, awaited;

static void note(void) {
    notified++;
    notified_ready += GC_should_invoke_finalizers();
}

static void note_awaited(void *object) { awaited += object != NULL; }

START_TEST(finalizers_on_demand_are_announced) {
    GC_INIT();
    ck_assert_int_eq(GC_get_finalize_on_demand(), 0);
    GC_set_finalize_on_demand(1);
    GC_set_finalizer_notifier(note);
    GC_set_await_finalize_proc(note_awaited);
    ck_assert_int_eq(GC_get_finalize_on_demand(), 1);
    ck_assert(GC_get_finalizer_notifier() == note && GC_get_await_finalize_proc() == note_awaited);
    ck_assert_int_eq(GC_should_invoke_finalizers(), 0);
    make_finalized(GC_register_finalizer, false);
    clear_stack();
    GC_gcollect();
    ck_assert(notified > 0 && notified_ready == notified);
    ck_assert_int_gt(awaited, MOST);
    ck_assert_int_eq(called, 0);
    ck_assert_int_gt(GC_invoke_finalizers(), MOST);
    ck_assert_int_gt(called, MOST);
    ck_assert_int_eq(GC_should_invoke_finalizers(), 0);
    ck_assert_int_eq(GC_invoke_finalizers(), 0);
    GC_set_finalizer_notifier(NULL);
    GC_set_await_finalize_proc(NULL);
}
END_TEST

START_TEST(finalizers_not_on_demand_run_when_the_program_allocates) {
    GC_INIT();
    for (int round = 0; round < 200 && called < MOST; round++) {
        make_finalized(GC_register_finalizer, false);
        for (int i = 0; i < 1000; i++)
            GC_reachable_here(GC_malloc(1000));
    }
    ck_assert_int_ge(called, MOST);
}
END_TEST

static int nested;

static void collect_inside(void *object, void *data) {
    (void)object, (void)data;
    called++;
    for (int i = 0; i < 1000; i++)
        GC_reachable_here(GC_malloc(100));
    GC_gcollect();
    nested += GC_invoke_finalizers();
}

START_TEST(finalizers_may_allocate_collect_and_call_others) {
    GC_INIT();
    for (int i = 0; i < 2; i++)
        GC_register_finalizer(GC_malloc(16), collect_inside, NULL, NULL, NULL);
    GC_finalize_all();
    ck_assert_int_eq(called, 2);
}
END_TEST

static int warnings;
static void count_warning(char *message, GC_word word) {
    (void)word;
    warnings += strstr(message, "cycle") != NULL;
}

/* What leads back to itself waits for ever, and that is said. */
START_TEST(cycles_are_warned_of) {
    GC_INIT();
    GC_set_warn_proc(count_warning);
    ck_assert(GC_get_warn_proc() == count_warning);
    make_finalized(GC_register_finalizer, true);
    ck_assert_int_lt(calls_of(2), FEW);
    ck_assert_int_gt(warnings, 0);
}
END_TEST

__attribute__((noinline)) static void make_linked(bool finalized) {
    for (int i = 0; i < HERD; i++) {
        void *object = GC_malloc(32);
        watch(&first, i, object);
        second.links[i] = (void *)GC_HIDE_POINTER(object);
        ck_assert_int_eq(GC_register_long_link(&second.links[i], object), GC_SUCCESS);
        if (finalized)
            GC_register_finalizer_no_order(object, count_call, (void *)1, NULL, NULL);
    }
}

START_TEST(short_links_go_before_finalizers_and_long_ones_after) {
    GC_INIT();
    GC_set_finalize_on_demand(1);
    make_linked(true);
    clear_stack();
    GC_gcollect();
    ck_assert_int_lt(living(&first), FEW);
    ck_assert_int_gt(living(&second), MOST);
    ck_assert_int_gt(GC_invoke_finalizers(), MOST);
    collect();
    ck_assert_int_lt(living(&second), FEW);
}
END_TEST

typedef int general_link(void **link, const void *object);
typedef int move_link(void **link, void **new_link);
typedef int drop_link(void **link);

static const struct {
    general_link *add;
    move_link *move;
    drop_link *drop;
} links[] = {
    {GC_general_register_disappearing_link, GC_move_disappearing_link,
     GC_unregister_disappearing_link},
    {GC_register_long_link, GC_move_long_link, GC_unregister_long_link},
};

static struct herd moved;

/* A third of the links each stays, moves, and is taken back. */
__attribute__((noinline)) static void make_moved(int kind) {
    for (int i = 0; i < HERD; i++) {
        void *object = GC_malloc(16);
        first.links[i] = moved.links[i] = (void *)GC_HIDE_POINTER(object);
        ck_assert_int_eq(links[kind].add(&first.links[i], object), GC_SUCCESS);
        ck_assert_int_eq(links[kind].add(&first.links[i], object), GC_DUPLICATE);
        if (i % 3 == 1) {
            ck_assert_int_eq(links[kind].move(&first.links[i], &moved.links[i]), GC_SUCCESS);
            ck_assert_int_eq(links[kind].move(&first.links[i], &moved.links[i]), GC_NOT_FOUND);
            ck_assert_int_eq(links[kind].move(&moved.links[i], &moved.links[i]), GC_SUCCESS);
        }
        if (i % 3 == 2) {
            ck_assert_int_eq(links[kind].drop(&first.links[i]), 1);
            ck_assert_int_eq(links[kind].drop(&first.links[i]), 0);
        }
    }
}

START_TEST(links_are_moved_and_taken_back) {
    GC_INIT();
    make_moved(_i);
    collect();
    int alive[3] = {0}, alive_moved[3] = {0};
    for (int i = 0; i < HERD; i++) {
        alive[i % 3] += first.links[i] != NULL;
        alive_moved[i % 3] += moved.links[i] != NULL;
    }
    ck_assert(alive[0] < FEW && alive[1] == HERD / 3 && alive[2] == HERD / 3);
    ck_assert(alive_moved[0] == HERD / 3 && alive_moved[1] < FEW && alive_moved[2] == HERD / 3);
}
END_TEST

/* Hidden addresses of atomic objects whose own word is the link. */
__attribute__((noinline)) static void make_inner_links(void ***objects) {
    for (int i = 0; i < HERD; i++) {
        objects[i] = GC_malloc_atomic(16);
        objects[i][0] = objects[i];
        ck_assert_int_eq(GC_register_disappearing_link(objects[i]), GC_SUCCESS);
        ck_assert_int_eq(GC_register_disappearing_link(objects[i]), GC_DUPLICATE);
    }
}

START_TEST(links_in_their_own_object_die_with_it) {
    static void **objects[HERD];
    GC_INIT();
    make_inner_links(objects);
    collect();
    for (int i = 0; i < HERD; i++) {
        ck_assert_ptr_eq(objects[i][0], objects[i]);
        ck_assert_int_eq(GC_unregister_disappearing_link(objects[i]), 1);
    }
    make_inner_links(objects);
    void **last = objects[HERD - 1];
    memset(objects, 0, sizeof objects);
    collect();
    ck_assert_ptr_eq(last[0], last);
}
END_TEST

static int asked;

static GC_ToggleRefStatus answer(void *object) {
    asked++;
    return *(long *)object;
}

__attribute__((noinline)) static void make_toggled(struct herd *herd, long status) {
    for (int i = 0; i < HERD; i++) {
        long *object = GC_malloc(24);
        *object = status;
        ck_assert_int_eq(GC_toggleref_add(object, 1), GC_SUCCESS);
        watch(herd, i, object);
    }
}

START_TEST(toggled_objects_live_as_the_program_says) {
    GC_INIT();
    GC_set_toggleref_func(answer);
    ck_assert(GC_get_toggleref_func() == answer);
    make_toggled(&first, GC_TOGGLE_REF_STRONG);
    make_toggled(&second, GC_TOGGLE_REF_WEAK);
    make_toggled(&moved, GC_TOGGLE_REF_DROP);
    collect();
    ck_assert_int_eq(living(&first), HERD);
    ck_assert_int_lt(living(&second), FEW);
    ck_assert_int_lt(living(&moved), FEW);
    for (int i = 0; i < HERD; i++)
        *(long *)GC_REVEAL_POINTER(first.links[i]) = GC_TOGGLE_REF_WEAK;
    collect();
    ck_assert_int_lt(living(&first), HERD / 3);
    asked = 0;
    GC_gcollect();
    ck_assert_int_lt(asked, HERD / 2);
}
END_TEST

START_TEST(java_finalization_is_on) {
    ck_assert_int_eq(GC_get_java_finalization(), 1);
    GC_set_java_finalization(1);
    GC_INIT();
    GC_set_finalize_on_demand(1);
    make_pairs(GC_register_finalizer_no_order);
    int calls = calls_of(1);
    ck_assert_int_gt(calls / 1000, MOST);
    ck_assert_int_eq(GC_java_finalization, 1);
}
END_TEST

static void dump(void) { GC_dump_finalization(); }

START_TEST(tables_are_dumped) {
    GC_INIT();
    make_linked(true);
    ck_assert_ptr_nonnull(strpbrk(captured(STDOUT_FILENO, dump), "0123456789"));
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        objects_are_whole_in_their_finalizer_and_may_be_revived,
        all_finalizers_are_called_at_the_end,
        the_unreachable_wait_for_those_without_order,
        finalizers_on_demand_are_announced,
        finalizers_not_on_demand_run_when_the_program_allocates,
        finalizers_may_allocate_collect_and_call_others,
        cycles_are_warned_of,
        short_links_go_before_finalizers_and_long_ones_after,
        links_in_their_own_object_die_with_it,
        toggled_objects_live_as_the_program_says,
        java_finalization_is_on,
        tables_are_dumped,
    };
    const struct looped loops[] = {
        {finalizers_are_called_in_every_order, ORDERS},
        {an_object_waits_for_those_that_lead_to_it, ORDERS},
        {a_finalizer_is_replaced_and_removed, ORDERS},
        {links_are_moved_and_taken_back, 2},
    };
    return SUITE_RUN_LOOPS("libgc, finalization", once, loops, 60);
}
