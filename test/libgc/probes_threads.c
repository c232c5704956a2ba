/* Probes of threads, of debugging objects, and of how programs end. */
#include "probes.h"

#include "gc/gc_mark.h"
#include "gc/javaxfc.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void *register_late(void *unused) {
    struct GC_stack_base base;
    (void)unused;
    say_number("GC_get_stack_base", GC_get_stack_base(&base));
    say_number("GC_thread_is_registered before registering", GC_thread_is_registered());
    say_number("GC_register_my_thread", GC_register_my_thread(&base));
    say_number("GC_register_my_thread again", GC_register_my_thread(&base));
    say_number("GC_thread_is_registered", GC_thread_is_registered());
    say_number("GC_unregister_my_thread", GC_unregister_my_thread());
    say_number("GC_thread_is_registered after unregistering", GC_thread_is_registered());
    return NULL;
}

static int is_registered;

static void *look_registered(void *result) {
    is_registered = GC_thread_is_registered();
    return result;
}

static void *leave(void *result) {
    GC_pthread_exit(result);
    return NULL;
}

static void *wait_for_ever(void *unused) {
    for (;;)
        pause();
    return unused;
}

static volatile unsigned long spins;
static volatile bool enough;

static void *spin(void *unused) {
    while (!enough)
        spins++;
    return unused;
}

static bool spins_on(void) {
    unsigned long before = spins;
    usleep(20000);
    return spins != before;
}

static void *twice(void *number) { return (void *)((intptr_t)number * 2); }

static void *base_covers(struct GC_stack_base *base, void *argument) {
    return (char *)base->mem_base > (char *)&base ? argument : NULL;
}

static void *active_inside(void *argument) { return GC_call_with_gc_active(twice, argument); }

static void probe_bottoms(void) {
    struct GC_stack_base base, other;
    void *handle = GC_get_my_stackbottom(&base);
    say_flag("GC_get_my_stackbottom gives a handle", handle != NULL);
    say_flag("it is GC_stackbottom in the main thread", base.mem_base == GC_stackbottom);
    GC_get_stack_base(&other);
    say_flag("it is what GC_get_stack_base tells", base.mem_base == other.mem_base);
    other.mem_base = (char *)base.mem_base - 64;
    GC_set_stackbottom(handle, &other);
    GC_get_my_stackbottom(&base);
    say_flag("GC_set_stackbottom changes it", base.mem_base == other.mem_base);
    say_flag("GC_stackbottom, too", GC_stackbottom == other.mem_base);
    other.mem_base = (char *)base.mem_base + 64;
    GC_set_stackbottom(NULL, &other);
    say_number("GC_call_with_stack_base",
               (intptr_t)GC_call_with_stack_base(base_covers, (void *)1));
    say_number("GC_do_blocking", (intptr_t)GC_do_blocking(twice, (void *)21));
    say_number("GC_call_with_gc_active in it", (intptr_t)GC_do_blocking(active_inside, (void *)4));
    say_number("GC_call_with_alloc_lock", (intptr_t)GC_call_with_alloc_lock(twice, (void *)3));
}

static void probe_suspending(void) {
    pthread_t thread;
    GC_pthread_create(&thread, NULL, spin, NULL);
    while (spins == 0)
        usleep(100);
    say_number("GC_is_thread_suspended of a running one", GC_is_thread_suspended(thread));
    GC_suspend_thread(thread);
    say_number("GC_is_thread_suspended", GC_is_thread_suspended(thread));
    say_flag("a suspended thread runs", spins_on());
    GC_gcollect();
    say_flag("it runs after a collection", spins_on());
    GC_resume_thread(thread);
    say_number("GC_is_thread_suspended of a resumed one", GC_is_thread_suspended(thread));
    say_flag("a resumed thread runs", spins_on());
    enough = true;
    GC_pthread_join(thread, NULL);
}

void probe_threads(void) {
    pthread_t thread;
    sigset_t set, seen;
    void *result = NULL;
    GC_INIT();
    say_number("GC_thread_is_registered of the main thread", GC_thread_is_registered());
    probe_bottoms();
    GC_allow_register_threads();
    pthread_create(&thread, NULL, register_late, NULL);
    pthread_join(thread, NULL);
    say_number("GC_pthread_create", GC_pthread_create(&thread, NULL, look_registered, &set));
    say_number("GC_pthread_join", GC_pthread_join(thread, &result));
    say_flag("it gives the result", result == &set);
    say_number("GC_thread_is_registered in it", is_registered);
    GC_pthread_create(&thread, NULL, leave, &seen);
    GC_pthread_join(thread, &result);
    say_flag("GC_pthread_exit gives the result", result == &seen);
    GC_pthread_create(&thread, NULL, wait_for_ever, NULL);
    say_number("GC_pthread_cancel", GC_pthread_cancel(thread));
    GC_pthread_join(thread, &result);
    say_flag("it ends the thread", result == PTHREAD_CANCELED);
    GC_pthread_create(&thread, NULL, twice, NULL);
    say_number("GC_pthread_detach", GC_pthread_detach(thread));
    sigfillset(&set);
    say_number("GC_pthread_sigmask", GC_pthread_sigmask(SIG_SETMASK, &set, NULL));
    GC_pthread_sigmask(SIG_SETMASK, NULL, &seen);
    say_flag("SIGUSR1 is blocked by it", sigismember(&seen, SIGUSR1));
    say_flag("SIGPWR is blocked by it", sigismember(&seen, SIGPWR));
    say_flag("SIGXCPU is blocked by it", sigismember(&seen, SIGXCPU));
    sigemptyset(&set);
    GC_pthread_sigmask(SIG_SETMASK, &set, NULL);
    probe_suspending();
}

/* In a function of its own, lest the compiler warn of what it is told to do. */
__attribute__((noinline)) static void fill(char *object, int bytes) {
    for (int i = 0; i < bytes; i++)
        object[i] = 'x';
}

static void overrun(void) {
    GC_INIT();
    char *object = GC_debug_malloc(20, "somewhere.c", 7);
    fill(object, 25);
    GC_debug_free(object);
}

static void overrun_found_later(void) {
    GC_INIT();
    char *volatile object = GC_debug_malloc(20, "somewhere.c", 7);
    fill(object, 25);
    GC_gcollect();
    GC_gcollect();
    GC_reachable_here(object);
}

static void underrun(void) {
    GC_INIT();
    char *volatile object = GC_debug_malloc(20, "somewhere.c", 7);
    object[-1]++;
    GC_debug_free(object);
}

static void free_twice(void) {
    GC_INIT();
    char *object = GC_debug_malloc(20, "somewhere.c", 7);
    GC_debug_free(object);
    GC_debug_free(object);
}

static void use_freed(void) {
    GC_INIT();
    char *volatile object = GC_debug_malloc(80, "somewhere.c", 7);
    GC_debug_free(object);
    object[40] = 'x';
    GC_gcollect();
    GC_gcollect();
    GC_reachable_here(object);
}

static void free_plain(void) {
    GC_INIT();
    GC_debug_free(GC_malloc(20));
}

static void use_well(void) {
    GC_INIT();
    char *object = GC_debug_malloc(20, "somewhere.c", 7);
    memset(object, 'x', 20);
    GC_gcollect();
    GC_debug_free(object);
    GC_gcollect();
}

static void register_displaced(void) {
    GC_INIT();
    GC_debug_register_displacement(8);
    GC_is_valid_displacement((char *)GC_debug_malloc(40, "somewhere.c", 7) + 8);
}

void probe_debugging(void) {
    GC_INIT();
    char *object = GC_debug_malloc(20, "somewhere.c", 7);
    say_number("GC_debug_malloc is so far into its object", object - (char *)GC_base(object));
    say_flag("GC_debug_malloc clears", object[0] == 0 && object[19] == 0);
    say_number("kind of GC_debug_malloc", GC_get_kind_and_size(GC_base(object), NULL));
    object = GC_debug_malloc_atomic(20, "somewhere.c", 7);
    say_number("kind of GC_debug_malloc_atomic", GC_get_kind_and_size(GC_base(object), NULL));
    object = GC_debug_malloc_uncollectable(20, "somewhere.c", 7);
    say_number("kind of GC_debug_malloc_uncollectable",
               GC_get_kind_and_size(GC_base(object), NULL));
    object = GC_debug_malloc_atomic_uncollectable(20, "somewhere.c", 7);
    say_number("kind of GC_debug_malloc_atomic_uncollectable",
               GC_get_kind_and_size(GC_base(object), NULL));
    say("GC_debug_strdup", "%s", GC_debug_strdup("text", "somewhere.c", 7));
    say("GC_debug_strndup of 2", "%s", GC_debug_strndup("text", 2, "somewhere.c", 7));
    say_flag("GC_debug_realloc to 0 is NULL",
             GC_debug_realloc(GC_debug_malloc(9, "a.c", 1), 0, "somewhere.c", 7) == NULL);
    GC_debug_free(NULL);
    say_end("right use of debugging objects", use_well, "GC");
    say_end("an object written past its end, freed", overrun, "somewhere.c:7");
    say_end("an object written past its end, collection", overrun_found_later, "somewhere.c:7");
    say_end("an object written before its start, freed", underrun, NULL);
    say_end("a debugging object freed twice", free_twice, NULL);
    say_end("a freed debugging object written", use_freed, "0x");
    say_end("GC_debug_free of another object", free_plain, NULL);
    say_end("a registered displacement in a debugging object", register_displaced, NULL);
}

static void register_forbidden(void) {
    struct GC_stack_base base;
    GC_INIT();
    GC_get_stack_base(&base);
    GC_register_my_thread(&base);
}

static void enable_too_often(void) {
    GC_INIT();
    GC_enable();
}

static void abort_on_oom(void) {
    GC_INIT();
    GC_abort_on_oom();
}

static void say_reason(const char *reason) {
    fprintf(stderr, "reason: %s\n", reason ? "told" : "none");
}

static void too_many_kinds(void) {
    GC_INIT();
    for (int i = 0; i < 20; i++)
        GC_new_kind(GC_new_free_list(), 0, 0, 1);
}

static void abort_with_function(void) {
    GC_INIT();
    GC_set_abort_func(say_reason);
    too_many_kinds();
}

static void abort_on_oom_with_function(void) {
    GC_INIT();
    GC_set_abort_func(say_reason);
    GC_abort_on_oom();
}

static void free_no_object(void) {
    static char memory[64];
    GC_INIT();
    GC_free(memory);
}

static void differ(void) {
    GC_INIT();
    GC_same_obj(GC_malloc(16), GC_malloc(200));
}

static void see_nothing(void) {
    GC_INIT();
    GC_is_visible(malloc(16));
}

static struct GC_ms_entry *mark_nothing(GC_word *object, struct GC_ms_entry *top,
                                        struct GC_ms_entry *limit, GC_word argument) {
    (void)object, (void)limit, (void)argument;
    return top;
}

static void too_many_procedures(void) {
    GC_INIT();
    for (int i = 0; i < 70; i++)
        GC_new_proc(mark_nothing);
}

static void link_nowhere(void) {
    static char memory[64];
    GC_INIT();
    GC_general_register_disappearing_link((void **)(memory + 1), GC_malloc(16));
}

__attribute__((noinline)) static void lose(void) {
    for (int i = 0; i < HERD; i++)
        GC_reachable_here(GC_debug_malloc(20, "somewhere.c", 7));
}

static void leak(void) {
    GC_set_find_leak(1);
    GC_INIT();
    lose();
    collect();
}

static void leak_nothing(void) {
    GC_set_find_leak(1);
    GC_INIT();
    for (int i = 0; i < HERD; i++)
        GC_debug_free(GC_debug_malloc(20, "somewhere.c", 7));
    collect();
}

static void print(void) {
    GC_INIT();
    GC_set_log_fd(2);
    void GC_err_printf(const char *, ...);
    GC_err_printf("%s %d\n", "printed", 5);
}

void probe_ends(void) {
    say_end("GC_register_my_thread without GC_allow_register_threads", register_forbidden,
            "Threads explicit registering is not previously enabled");
    say_end("GC_enable without GC_disable", enable_too_often, NULL);
    say_end("GC_abort_on_oom", abort_on_oom, "Insufficient memory");
    say_end("an abort with a function of the program's", abort_with_function, "reason: told");
    say_end("GC_abort_on_oom with a function of the program's", abort_on_oom_with_function,
            "reason: none");
    say_end("GC_free of what is no object", free_no_object, NULL);
    say_end("GC_same_obj by default", differ, NULL);
    say_end("GC_is_visible by default", see_nothing, NULL);
    say_end("more than 16 kinds", too_many_kinds, NULL);
    say_end("more than 64 mark procedures", too_many_procedures, NULL);
    say_end("a link that is not aligned", link_nowhere, NULL);
    say_end("leak mode, objects lost", leak, "somewhere.c:7");
    say_end("leak mode, objects freed", leak_nothing, "somewhere.c:7");
    say_end("GC_err_printf", print, "printed 5");
}
