/* The registry of threads; see thread.h. */
#include "thread/thread.h"

#include "heap/layout.h"
#include "heap/metadata.h"
#include "os/syscall.h"
#include "os/tasks.h"
#include "os/vm.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>

enum { ALTSTACK_BYTES = 98304 };

struct thread thread_absent, thread_left;
__thread struct thread *thread_self __attribute__((tls_model("initial-exec"))) = &thread_absent;

struct lock thread_registry_lock = LOCK_INITIALIZER;
void (*thread_registered_hook)(void);
void (*thread_leaving_hook)(void);

static struct thread *first, *unused;
static unsigned count, collectors; /* the latter among the former */
static int process; /* the one that the collector belongs to; 0 before thread_own_process */

void thread_own_process(void) { process = tasks_process(); }
bool thread_in_own_process(void) { return tasks_process() == process; }

struct thread *thread_first(void) {
    return first;
}
unsigned thread_count(void) { return count; }
unsigned thread_count_of_program(void) { return count - collectors; }

static struct thread *record_take(void) {
    struct thread *thread = unused;
    if (thread) {
        unused = thread->next;
        thread->next = NULL;
        return thread;
    }
    thread = metadata_take(sizeof *thread);
    if (thread)
        memset(thread, 0, sizeof *thread);
    return thread;
}

static void record_link(struct thread *thread, int tid) {
    thread->tid = tid;
    AO_int_store(&thread->state, THREAD_RUNNING);
    thread->previous = NULL;
    thread->next = first;
    if (first)
        first->previous = thread;
    first = thread;
    count++;
}

/* What a reused record must not inherit; the alternate stack's memory it may keep. */
static void record_clear(struct thread *thread) {
    thread->has_cache = false;
    thread->stack_low = thread->stack_high = 0;
    thread->altstack_tried = thread->program_altstack = false;
    thread->stack_pointer = 0;
    thread->context = NULL;
    thread->suspended = 0;
    thread->handle = thread->stack_bottom = 0;
    thread->call_broken = thread->call_cut = false;
    thread->deaf = false;
    thread->deaf_looks = 0;
    AO_int_store(&thread->stack_due, 0);
    thread->freed_bytes = 0;
    thread->assist_bytes = 0;
    thread->assist_nanoseconds = 0;
}

static void record_unlink(struct thread *thread) {
    if (thread->next)
        thread->next->previous = thread->previous;
    *(thread->previous ? &thread->previous->next : &first) = thread->next;
    count--;
    record_clear(thread);
    thread->next = unused;
    unused = thread;
}

static struct thread *record_of(int tid) {
    for (struct thread *thread = first; thread; thread = thread->next)
        if (thread->tid == tid)
            return thread;
    return NULL;
}

struct thread *thread_by_handle(uintptr_t handle) {
    for (struct thread *thread = first; thread; thread = thread->next)
        if (thread->handle == handle && thread_state(thread) != THREAD_GONE)
            return thread;
    return NULL;
}

struct thread *thread_adopt(int tid) {
    struct thread *thread = record_take();
    if (thread)
        record_link(thread, tid);
    return thread;
}

struct thread *thread_add_collector(void) {
    struct thread *thread = thread_adopt(0);
    if (thread == NULL)
        return NULL;
    AO_int_store(&thread->state, THREAD_COLLECTS);
    collectors++;
    return thread;
}

void thread_drop_collector(struct thread *thread) {
    record_unlink(thread);
    collectors--;
}

/* A thread that was adopted during an earlier stop keeps its record. */
static struct thread *thread_register(void) {
    int tid = tasks_self();
    if (!heap_start())
        return NULL;
    lock_take(&thread_registry_lock);
    struct thread *thread = record_of(tid);
    if (thread)
        record_clear(thread);
    else
        thread = thread_adopt(tid);
    if (thread && cache_start(&thread->cache))
        thread->has_cache = true;
    if (thread)
        thread->handle = (uintptr_t)pthread_self();
    lock_give(&thread_registry_lock);
    return thread && thread->has_cache ? thread : NULL;
}

struct thread *thread_current(void) {
    struct thread *thread = thread_self;
    if (thread != &thread_absent)
        return thread;
    thread = thread_register();
    if (thread == NULL)
        return &thread_left;
    thread_self = thread;
    if (thread_registered_hook)
        thread_registered_hook();
    return thread_self;
}

/* The kernel must not run a handler on the stack once the next thread may have it, or the program
 * has freed it, as ruby does when the thread ends. */
static void altstack_disable(const struct thread *thread) {
    if (thread->altstack_low == 0 && !thread->program_altstack)
        return;
    stack_t none = {.ss_flags = SS_DISABLE};
    system_call(SYS_sigaltstack, &none, 0);
}

void thread_leave(void) {
    struct thread *thread = thread_self;
    if (thread == &thread_absent || thread == &thread_left)
        return;
    if (thread_leaving_hook)
        thread_leaving_hook();
    cache_empty(&thread->cache);
    thread_self = &thread_left;
    altstack_disable(thread);
    lock_take(&thread_registry_lock);
    record_unlink(thread);
    lock_give(&thread_registry_lock);
}

void thread_return(void) {
    thread_self = &thread_absent;
    thread_current();
}

void thread_set_stack(uintptr_t low, uintptr_t high) {
    struct thread *thread = thread_current();
    if (thread == &thread_left)
        return;
    thread->stack_low = low;
    thread->stack_high = high;
}

/* The memory stays with the record, for the next thread that gets it. The lowest page is the guard.
 */
static bool altstack_make(struct thread *thread) {
    size_t guard = vm_page_bytes();
    size_t bytes = ALTSTACK_BYTES + getauxval(AT_MINSIGSTKSZ);
    bytes = (bytes + guard - 1) & ~(guard - 1);
    if (thread->altstack_low)
        return true;
    lock_take(&thread_registry_lock);
    uintptr_t block = (uintptr_t)metadata_take(bytes + guard);
    lock_give(&thread_registry_lock);
    if (block == 0 || !vm_guard(block, guard))
        return false;
    thread->altstack_low = block + guard;
    thread->altstack_high = block + guard + bytes;
    return true;
}

void thread_ensure_altstack(void) {
    struct thread *thread = thread_self;
    stack_t current;
    if (!thread->has_cache || !altstack_make(thread) || thread->program_altstack)
        return;
    if (system_call(SYS_sigaltstack, 0, &current) != 0)
        return;
    if (!(current.ss_flags & SS_DISABLE)) {
        thread->program_altstack = (uintptr_t)current.ss_sp != thread->altstack_low;
        return;
    }
    stack_t stack = {.ss_sp = (void *)thread->altstack_low,
                     .ss_size = thread->altstack_high - thread->altstack_low};
    system_call(SYS_sigaltstack, &stack, 0);
}

void thread_drop_gone(void) {
    for (struct thread *thread = first, *next; thread; thread = next) {
        next = thread->next;
        if (thread_state(thread) != THREAD_GONE)
            continue;
        if (thread->has_cache)
            cache_empty(&thread->cache);
        record_unlink(thread);
    }
}

void thread_after_fork(void) {
    for (struct thread *thread = first; thread; thread = thread->next)
        AO_int_store(&thread->state, thread == thread_self ? THREAD_RUNNING : THREAD_GONE);
    if (thread_self->has_cache)
        thread_self->tid = tasks_self();
}
