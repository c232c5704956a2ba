/* Threads: registering, wrappers, the lock, suspending, fork. */
#include "herd.h"
#include "suite.h"

#include "differences.h"

#include "gc/gc_mark.h"
#include "gc/gc_typed.h"
#include "gc/javaxfc.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct herd herd, other_herd;

static void collect_and_look(void) {
    collect();
    ck_assert_int_eq(living(&herd), HERD);
}

static int status_of_first, status_of_second, status_of_unregistering, registered_before,
    registered_then, registered_after;

static void *register_by_hand(void *result) {
    struct GC_stack_base base;
    ck_assert_int_eq(GC_get_stack_base(&base), GC_SUCCESS);
    ck_assert((char *)base.mem_base > (char *)&base);
    registered_before = GC_thread_is_registered();
    status_of_first = GC_register_my_thread(&base);
    status_of_second = GC_register_my_thread(&base);
    registered_then = GC_thread_is_registered();
    with_herd(&herd, collect_and_look);
    status_of_unregistering = GC_unregister_my_thread();
    registered_after = GC_thread_is_registered();
    return result;
}

START_TEST(foreign_threads_register_themselves) {
    pthread_t thread;
    GC_INIT();
    GC_allow_register_threads();
    ck_assert(GC_thread_is_registered());
    for (int round = 0; round < 3; round++) {
        pthread_create(&thread, NULL, register_by_hand, NULL);
        pthread_join(thread, NULL);
        ck_assert(!registered_before && registered_then && !registered_after);
        ck_assert_int_eq(status_of_first, GC_SUCCESS);
        ck_assert_int_eq(status_of_second, GC_DUPLICATE);
        ck_assert_int_eq(status_of_unregistering, GC_SUCCESS);
    }
}
END_TEST

static void *look_registered(void *result) {
    registered_then = GC_thread_is_registered();
    with_herd(&herd, collect_and_look);
    return result;
}

static void *exit_early(void *result) {
    GC_pthread_exit(result);
    return NULL;
}

static void *wait_for_ever(void *unused) {
    for (;;)
        pause();
    return unused;
}

START_TEST(threads_of_ours_are_registered) {
    pthread_t thread;
    void *result;
    GC_INIT();
    ck_assert_int_eq(GC_pthread_create(&thread, NULL, look_registered, &herd), 0);
    ck_assert_int_eq(GC_pthread_join(thread, &result), 0);
    ck_assert(registered_then && result == &herd);
    ck_assert_int_eq(GC_pthread_create(&thread, NULL, exit_early, &result), 0);
    ck_assert_int_eq(GC_pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, &result);
    ck_assert_int_eq(GC_pthread_create(&thread, NULL, wait_for_ever, NULL), 0);
    ck_assert_int_eq(GC_pthread_cancel(thread), 0);
    ck_assert_int_eq(GC_pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, PTHREAD_CANCELED);
}
END_TEST

static volatile int ended;

static void *end_soon(void *unused) {
    GC_reachable_here(GC_malloc(100));
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
    return unused;
}

START_TEST(detached_threads_end_by_themselves) {
    pthread_t thread;
    pthread_attr_t detached;
    GC_INIT();
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(GC_pthread_create(&thread, i % 2 ? &detached : NULL, end_soon, NULL), 0);
        if (i % 2 == 0)
            ck_assert_int_eq(GC_pthread_detach(thread), 0);
        GC_gcollect();
    }
    while (ended < 20)
        usleep(1000);
    GC_gcollect();
}
END_TEST

START_TEST(a_mask_leaves_the_stop_signal) {
    sigset_t all, before, now;
    GC_INIT();
    sigfillset(&all);
    ck_assert_int_eq(GC_pthread_sigmask(SIG_SETMASK, &all, &before), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    ck_assert(sigismember(&now, SIGUSR1) && sigismember(&now, SIGTERM));
    ck_assert_int_eq(sigismember(&now, SIGPWR), differs(ONE_STOP_SIGNAL));
    GC_gcollect();
    ck_assert_int_eq(GC_pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    ck_assert(!sigismember(&now, SIGUSR1));
}
END_TEST

/* The lock. */

static int with_lock, most_with_lock;

static void *count_inside(void *argument) {
    int inside = __atomic_add_fetch(&with_lock, 1, __ATOMIC_SEQ_CST);
    most_with_lock = inside > most_with_lock ? inside : most_with_lock;
    for (volatile int i = 0; i < 100; i++)
        continue;
    __atomic_sub_fetch(&with_lock, 1, __ATOMIC_SEQ_CST);
    return argument;
}

static void *take_often(void *argument) {
    for (int i = 0; i < 20000; i++)
        if (i % 2) {
            ck_assert_ptr_eq(GC_call_with_alloc_lock(count_inside, &herd), &herd);
        } else {
            GC_alloc_lock();
            count_inside(NULL);
            GC_alloc_unlock();
        }
    return argument;
}

START_TEST(the_lock_excludes) {
    pthread_t threads[3];
    GC_INIT();
    for (int i = 0; i < 3; i++)
        GC_pthread_create(&threads[i], NULL, take_often, NULL);
    for (int i = 0; i < 3; i++)
        GC_pthread_join(threads[i], NULL);
    ck_assert_int_eq(most_with_lock, 1);
}
END_TEST

/* Suspending. */

static volatile unsigned long spins;
static volatile bool enough;

static void *spin(void *argument) {
    while (!enough)
        spins++;
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
    GC_pthread_create(&thread, NULL, spin, NULL);
    while (spins == 0)
        usleep(100);
    ck_assert(!GC_is_thread_suspended(thread));
    GC_suspend_thread(thread);
    ck_assert(GC_is_thread_suspended(thread) && !spins_on());
    GC_gcollect();
    ck_assert(GC_is_thread_suspended(thread) && !spins_on());
    GC_resume_thread(thread);
    ck_assert(!GC_is_thread_suspended(thread) && spins_on());
    GC_stop_world_external();
    bool went_on = spins_on();
    GC_start_world_external();
    ck_assert(!went_on && spins_on());
    enough = true;
    GC_pthread_join(thread, NULL);
}
END_TEST

static void *churn(void *argument) {
    static const GC_word map[] = {1};
    GC_descr descriptor = GC_make_descriptor(map, 8);
    while (!enough) {
        for (int i = 0; i < 100; i++) {
            GC_reachable_here(GC_malloc(i * 50));
            GC_reachable_here(GC_malloc_explicitly_typed(64, descriptor));
            GC_free(GC_malloc_uncollectable(40));
        }
        spins++;
    }
    return argument;
}

/* Whatever the thread was about to do, it holds no lock that others need while it rests. */
START_TEST(a_suspended_thread_hinders_nobody) {
    pthread_t threads[2];
    GC_INIT();
    for (int i = 0; i < 2; i++)
        GC_pthread_create(&threads[i], NULL, churn, NULL);
    for (int round = 0; round < 200; round++) {
        GC_suspend_thread(threads[round % 2]);
        for (int i = 0; i < 200; i++) {
            GC_reachable_here(GC_malloc(i * 60));
            GC_free(GC_malloc_uncollectable(40));
        }
        if (round % 10 == 0)
            GC_gcollect();
        ck_assert(GC_is_thread_suspended(threads[round % 2]));
        GC_resume_thread(threads[round % 2]);
    }
    enough = true;
    for (int i = 0; i < 2; i++)
        GC_pthread_join(threads[i], NULL);
}
END_TEST

static void *end_at_once(void *argument) {
    GC_reachable_here(GC_malloc(40));
    return argument;
}

START_TEST(a_thread_can_be_suspended_until_it_is_joined) {
    pthread_t thread;
    GC_INIT();
    GC_pthread_create(&thread, NULL, end_at_once, NULL);
    usleep(50000);
    ck_assert(!GC_is_thread_suspended(thread));
    GC_suspend_thread(thread);
    ck_assert(GC_is_thread_suspended(thread));
    GC_resume_thread(thread);
    ck_assert(!GC_is_thread_suspended(thread));
    GC_suspend_thread(thread);
    GC_pthread_join(thread, NULL);
    ck_assert(!GC_is_thread_suspended(thread));
}
END_TEST

static void *register_once_more(void *unused) {
    struct GC_stack_base base;
    GC_get_stack_base(&base);
    status_of_first = GC_register_my_thread(&base);
    return unused;
}

static void *register_and_unregister(void *unused) {
    register_once_more(NULL);
    GC_unregister_my_thread();
    return unused;
}

START_TEST(nothing_need_be_allowed_where_threads_are_made_by_libgc) {
    pthread_t thread;
    GC_INIT();
    status_of_first = -1;
    GC_pthread_create(&thread, NULL, register_once_more, NULL);
    GC_pthread_join(thread, NULL);
    ck_assert_int_eq(status_of_first, GC_DUPLICATE);
    pthread_create(&thread, NULL, register_and_unregister, NULL);
    pthread_join(thread, NULL);
    ck_assert_int_eq(status_of_first, GC_SUCCESS);
}
END_TEST

static int suspended_told, unsuspended_told;
static pthread_t told_of;

static void note_thread(GC_EventType event, void *thread) {
    told_of = (pthread_t)thread;
    *(event == GC_EVENT_THREAD_SUSPENDED ? &suspended_told : &unsuspended_told) += 1;
}

START_TEST(programs_are_told_which_threads_were_stopped) {
    pthread_t thread;
    GC_INIT();
    GC_pthread_create(&thread, NULL, spin, NULL);
    GC_set_on_thread_event(note_thread);
    ck_assert(GC_get_on_thread_event() == note_thread);
    GC_gcollect();
    ck_assert_int_eq(suspended_told, 1);
    ck_assert_int_eq(unsuspended_told, 1);
    ck_assert(pthread_equal(told_of, thread));
    GC_set_on_thread_event(NULL);
    enough = true;
    GC_pthread_join(thread, NULL);
}
END_TEST

/* Fork. */

static void collect_in_child(void) {
    collect();
    ck_assert_int_eq(living(&other_herd), HERD);
}

static int child_collects(void) {
    for (int i = 0; i < 300000; i++)
        GC_reachable_here(GC_malloc(40));
    with_herd(&other_herd, collect_in_child);
    GC_start_mark_threads();
    return GC_get_heap_size() < 100 << 20 ? 7 : 1;
}

static void fork_and_check(bool by_hand) {
    int status;
    if (by_hand)
        GC_atfork_prepare();
    pid_t child = fork();
    if (child == 0) {
        if (by_hand)
            GC_atfork_child();
        _exit(child_collects());
    }
    if (by_hand)
        GC_atfork_parent();
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void fork_here(void) { fork_and_check(false); }

/* By itself, or by the hooks that the program calls. */
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
    pthread_t thread;
    GC_set_handle_fork(_i ? -1 : 1);
    GC_INIT();
    GC_pthread_create(&thread, NULL, churn, NULL);
    for (int i = 0; i < 3; i++)
        if (_i == 0)
            with_herd(&herd, fork_here);
        else
            fork_and_check(true);
    GC_gcollect();
    enough = true;
    GC_pthread_join(thread, NULL);
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        foreign_threads_register_themselves,
        threads_of_ours_are_registered,
        detached_threads_end_by_themselves,
        a_mask_leaves_the_stop_signal,
        the_lock_excludes,
        threads_are_suspended_and_stopped,
        a_suspended_thread_hinders_nobody,
        threads_may_block_all_signals_but_the_one_that_stops,
        programs_are_told_which_threads_were_stopped,
        a_thread_can_be_suspended_until_it_is_joined,
        nothing_need_be_allowed_where_threads_are_made_by_libgc,
    };
    const struct looped loops[] = {
        {a_forked_child_collects, 2},
    };
    return SUITE_RUN_LOOPS("libgc, threads", once, loops, 60);
}
