/* Threads as gc.h has them: registering, stack bottoms, blocking, suspending, and the wrappers that
 * gc_pthread_redirects.h puts in the place of pthread's functions.
 *
 * Every thread of the process is stopped and scanned, registered or not; registering tells the
 * bottom of the stack and is remembered to be told.
 */
#include "api/api.h"

#include "cycle/cycle.h"
#include "cycle/worker.h"
#include "os/clock.h"
#include "os/park.h"
#include "os/tasks.h"
#include "thread/thread.h"
#include "thread/world.h"
#include "weak/table.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>

char *GC_stackbottom;

static bool may_register;
static pthread_key_t leave_key;
static __thread bool registered __attribute__((tls_model("initial-exec")));
static __thread char leave_rounds __attribute__((tls_model("initial-exec")));

static void leave(void *value) {
    if (++leave_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(leave_key, value);
        return;
    }
    thread_leave();
}

/* What a thread with the same handle left to whoever joins it has been joined. */
static void arrange_leave(void) {
    ended_forget((uintptr_t)pthread_self(), 0);
    world_admit();
    pthread_setspecific(leave_key, thread_self);
}

static void prepare_to_leave(void) {
    ended_note();
    statistics_thread_leaves();
}

/* The bounds of the calling thread's stack, as pthread knows them. */
static bool own_stack(uintptr_t *low, uintptr_t *high) {
    pthread_attr_t attributes;
    void *start;
    size_t bytes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return false;
    bool known = pthread_attr_getstack(&attributes, &start, &bytes) == 0;
    pthread_attr_destroy(&attributes);
    *low = (uintptr_t)start;
    *high = (uintptr_t)start + bytes;
    return known;
}

static bool is_main(void) { return tasks_self() == tasks_process(); }

static void tell_stack(void) {
    uintptr_t low, high;
    if (!is_main() && own_stack(&low, &high))
        thread_set_stack(low, high);
}

void api_threads_start(void) {
    uintptr_t low, high;
    ended_start();
    thread_leaving_hook = prepare_to_leave;
    if (api_stands_alone && pthread_key_create(&leave_key, leave) == 0) {
        thread_registered_hook = arrange_leave;
        if (thread_current()->has_cache)
            arrange_leave();
    }
    registered = true;
    if (GC_stackbottom == NULL && is_main() && own_stack(&low, &high))
        GC_stackbottom = (char *)high;
}

void GC_start_mark_threads(void) {
    api_start();
    GC_parallel = worker_wanted();
}

void GC_allow_register_threads(void) {
    api_start();
    may_register = true;
    GC_start_mark_threads();
}

static void register_self(void) {
    thread_current();
    tell_stack();
    registered = true;
}

int GC_register_my_thread(const struct GC_stack_base *base) {
    (void)base;
    if (!may_register)
        api_abort("Threads explicit registering is not previously enabled");
    if (registered)
        return GC_DUPLICATE;
    register_self();
    return GC_SUCCESS;
}

int GC_unregister_my_thread(void) {
    registered = false;
    return GC_SUCCESS;
}

int GC_thread_is_registered(void) { return registered; }

int GC_get_stack_base(struct GC_stack_base *base) {
    uintptr_t low, high;
    if (!own_stack(&low, &high))
        return GC_UNIMPLEMENTED;
    base->mem_base = (void *)high;
    return GC_SUCCESS;
}

void *GC_call_with_stack_base(GC_stack_base_func function, void *argument) {
    struct GC_stack_base base = {__builtin_frame_address(0)};
    void *result = function(&base, argument);
    GC_reachable_here(&base);
    return result;
}

/* Which stack a thread runs on is found from its stack pointer, and read to the end of its memory,
 * so an alternate stack needs no telling. */
void GC_register_altstack(void *stack, GC_word stack_bytes, void *altstack,
                          GC_word altstack_bytes) {
    (void)stack, (void)stack_bytes, (void)altstack, (void)altstack_bytes;
}

void *GC_get_my_stackbottom(struct GC_stack_base *base) {
    struct thread *thread = thread_current();
    api_start();
    uintptr_t bottom = thread->stack_bottom ? thread->stack_bottom : thread->stack_high;
    base->mem_base = is_main() ? GC_stackbottom : (void *)bottom;
    return thread;
}

/* For schedulers of fibres: the calling thread, or the given one, runs on another stack from now
 * on, down from this address. The stop finds that stack by the stack pointer; what the thread was
 * born with stays a root, because it comes back to it. */
void GC_set_stackbottom(void *handle, const struct GC_stack_base *base) {
    struct thread *thread = handle ? handle : thread_current();
    if (thread->tid == tasks_process())
        GC_stackbottom = base->mem_base;
    else
        thread->stack_bottom = (uintptr_t)base->mem_base;
}

/* A thread in there is stopped like any other one, so nothing has to be arranged. */
void *GC_do_blocking(GC_fn_type function, void *argument) { return function(argument); }
void *GC_call_with_gc_active(GC_fn_type function, void *argument) { return function(argument); }

static GC_sp_corrector_proc correct_stack_pointer;

void GC_set_sp_corrector(GC_sp_corrector_proc function) { correct_stack_pointer = function; }
GC_sp_corrector_proc GC_get_sp_corrector(void) { return correct_stack_pointer; }

/* Where a thread runs on a stack that is not its own, all of both is scanned anyway. So a program
 * can only add to what is, by an address further down on the stack that the thread runs on. */
static void correct(struct thread *thread) {
    uintptr_t found = thread->stack_pointer;
    void *corrected = (void *)found;
    correct_stack_pointer(&corrected, (void *)thread->handle);
    if ((uintptr_t)corrected < found &&
        (thread->stack_low == 0 || (uintptr_t)corrected >= thread->stack_low))
        thread->stack_pointer = (uintptr_t)corrected;
}

void threads_correct_stack_pointers(void) {
    if (correct_stack_pointer == NULL)
        return;
    for (struct thread *thread = thread_first(); thread; thread = thread->next) {
        enum thread_state state = thread_state(thread);
        bool stopped = state == THREAD_STOPPED || state == THREAD_HELD;
        if (stopped && thread->handle && thread->tid != tasks_self())
            correct(thread);
    }
}

/* Starting a thread. */

/* In the frame of the starting thread, which waits until the new one is registered: from then on it
 * can be suspended and told of. */
struct start {
    void *(*function)(void *);
    void *argument;
    volatile unsigned registered;
};

static void *thread_main(void *argument) {
    struct start *start = argument;
    void *(*function)(void *) = start->function;
    argument = start->argument;
    register_self();
    AO_int_store_full(&start->registered, 1);
    park_wake(&start->registered, 1);
    return function(argument);
}

int GC_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                      void *(*function)(void *), void *argument) {
    struct start start = {function, argument, 0};
    GC_allow_register_threads();
    int failure = pthread_create(thread, attributes, thread_main, &start);
    while (!failure && AO_int_load_acquire(&start.registered) == 0)
        park_wait(&start.registered, 0, -1);
    return failure;
}

/* Afterwards libc may give the thread's handle to another one. */
int GC_pthread_join(pthread_t thread, void **result) {
    int number = ended_number((uintptr_t)thread), failure = pthread_join(thread, result);
    if (!failure)
        ended_forget((uintptr_t)thread, number);
    return failure;
}

int GC_pthread_detach(pthread_t thread) {
    int number = ended_number((uintptr_t)thread), failure = pthread_detach(thread);
    if (!failure)
        ended_forget((uintptr_t)thread, number);
    return failure;
}

int GC_pthread_cancel(pthread_t thread) { return pthread_cancel(thread); }
void GC_pthread_exit(void *result) { pthread_exit(result); }

/* The stop signal stays unblocked, or the thread could not be stopped. */
int GC_pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
    sigset_t copy;
    api_start();
    if (set && how != SIG_UNBLOCK) {
        copy = *set;
        sigdelset(&copy, world_signal());
        set = &copy;
    }
    return pthread_sigmask(how, set, old);
}

/* Stopping all others by hand: with the alloc lock and everything a stop of ours holds. */
void GC_stop_world_external(void) {
    api_start();
    cycle_stop_world();
}

void GC_start_world_external(void) { cycle_start_world(); }

void GC_suspend_thread(pthread_t thread) {
    api_start();
    if (!cycle_suspend((uintptr_t)thread))
        ended_suspend((uintptr_t)thread, true);
}

void GC_resume_thread(pthread_t thread) {
    ended_suspend((uintptr_t)thread, false);
    lock_take(&thread_registry_lock);
    struct thread *record = thread_by_handle((uintptr_t)thread);
    if (record)
        world_resume(record);
    lock_give(&thread_registry_lock);
}

int GC_is_thread_suspended(pthread_t thread) {
    lock_take(&thread_registry_lock);
    const struct thread *record = thread_by_handle((uintptr_t)thread);
    int suspended = record && record->suspended;
    lock_give(&thread_registry_lock);
    return record ? suspended : ended_is_suspended((uintptr_t)thread);
}
