/* The registry of threads; see thread.h. */
#include "thread/thread.h"

#include "heap/layout.h"
#include "heap/metadata.h"
#include "os/signal_stack.h"
#include "os/tasks.h"
#include "os/vm.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { ALTSTACK_BYTES = 98304, PATIENCE_MILLISECONDS = 200 };

struct thread thread_absent, thread_left;
__thread struct thread *thread_self __attribute__((tls_model("initial-exec"))) = &thread_absent;

struct lock thread_registry_lock = LOCK_OF(RANK_REGISTRY);
void (*thread_registered_hook)(void);
void (*thread_leaving_hook)(void);
bool thread_covers_altstacks;

static struct thread *first, *unused;
static unsigned count, collectors; /* the latter among the former */

/* The same by their ids, where they have one: chains of records. The table grows by doubling, so
 * that finding one costs as much with ten thousand as with ten; what it outgrows is not used again.
 */
enum { FIRST_CHAINS = 64 };
static struct thread *first_chains[FIRST_CHAINS];
static struct thread **chains = first_chains;
static unsigned chain_count = FIRST_CHAINS;

static int process; /* the one that the collector belongs to; 0 before thread_own_process */

static volatile bool stops_ended; /* once and for all */

void thread_end_stops(void) { stops_ended = true; }
bool thread_has_ended_stops(void) { return stops_ended; }

void thread_own_process(void) {
    if (!stops_ended)
        process = tasks_process();
}

bool thread_in_own_process(void) { return stops_ended || tasks_process() == process; }

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
    if (thread) {
        memset(thread, 0, sizeof *thread);
        thread->record = thread;
    }
    return thread;
}

bool thread_is_record(const void *word) {
    uintptr_t offset = (uintptr_t)word - heap.metadata.start;
    return (uintptr_t)word % _Alignof(struct thread) == 0 && offset < heap.metadata.committed &&
           heap.metadata.committed - offset >= sizeof(struct thread) &&
           ((const struct thread *)word)->record == word;
}

/* The kernel tells the ids of the collector's own, and when: they are few and have one chain. */
static struct thread *collectors_chain;

static struct thread **chain_of(int tid) { return &chains[(unsigned)tid % chain_count]; }

/* A new record comes before one of a thread that is gone, whose id it may have. */
static void chain_add(struct thread **chain, struct thread *thread) {
    thread->next_in_chain = *chain;
    *chain = thread;
}

static void chain_remove(struct thread **link, const struct thread *thread) {
    while (*link != thread)
        link = &(*link)->next_in_chain;
    *link = thread->next_in_chain;
}

static struct thread *chain_find(struct thread *thread, int tid) {
    while (thread && thread->tid != tid)
        thread = thread->next_in_chain;
    return thread;
}

/* From the oldest on, so that newer ones come first again. Without memory the chains get longer. */
static void chains_grow(void) {
    struct thread **grown = metadata_take(2 * chain_count * sizeof *grown), *oldest = first;
    if (grown == NULL)
        return;
    memset(grown, 0, 2 * chain_count * sizeof *grown);
    chains = grown;
    chain_count *= 2;
    while (oldest && oldest->next)
        oldest = oldest->next;
    for (; oldest; oldest = oldest->previous)
        if (!oldest->collects)
            chain_add(chain_of(oldest->tid), oldest);
}

static struct thread **chain_for(const struct thread *thread) {
    return thread->collects ? &collectors_chain : chain_of(thread->tid);
}

static void record_link(struct thread *thread, int tid, bool collects) {
    if (count >= chain_count)
        chains_grow();
    thread->tid = tid;
    thread->collects = collects;
    AO_int_store(&thread->state, collects ? THREAD_COLLECTS : THREAD_RUNNING);
    chain_add(chain_for(thread), thread);
    thread->previous = NULL;
    thread->next = first;
    if (first)
        first->previous = thread;
    first = thread;
    count++;
    collectors += collects;
}

/* What a reused record must not inherit; the alternate stack's memory it may keep. */
static void record_clear(struct thread *thread) {
    thread->has_cache = false;
    thread->stack_low = thread->stack_high = 0;
    thread->altstack_asked = 0;
    thread->program_altstack = false;
    thread->bare_low = thread->bare_high = 0;
    if (thread->signal_stack)
        signal_stack_clear(thread->signal_stack);
    thread->stack_pointer = 0;
    thread->context = NULL;
    memset(thread->segment_bases, 0, sizeof thread->segment_bases);
    thread->suspended = 0;
    thread->handle = thread->stack_bottom = 0;
    thread->call_broken = thread->call_cut = false;
    thread->unreachable = false;
    AO_int_store(&thread->stack_due, 0);
    thread->freed_bytes = 0;
    thread->assist_bytes = 0;
    thread->program_locks = 0;
    thread->assist_nanoseconds = 0;
}

static void record_unlink(struct thread *thread) {
    chain_remove(chain_for(thread), thread);
    if (thread->next)
        thread->next->previous = thread->previous;
    *(thread->previous ? &thread->previous->next : &first) = thread->next;
    count--;
    collectors -= thread->collects;
    record_clear(thread);
    thread->next = unused;
    unused = thread;
}

struct thread *thread_by_id(int tid) {
    struct thread *thread = chain_find(*chain_of(tid), tid);
    return thread ? thread : chain_find(collectors_chain, tid);
}

struct thread *thread_by_handle(uintptr_t handle) {
    for (struct thread *thread = first; thread; thread = thread->next)
        if (thread->handle == handle && thread_state(thread) != THREAD_GONE)
            return thread;
    return NULL;
}

static struct thread *record_add(int tid, bool collects) {
    struct thread *thread = record_take();
    if (thread)
        record_link(thread, tid, collects);
    return thread;
}

struct thread *thread_adopt(int tid) {
    return record_add(tid, false);
}

struct thread *thread_add_collector(void) {
    return record_add(0, true);
}

void thread_drop_collector(struct thread *thread) { record_unlink(thread); }

/* A thread that was adopted during an earlier stop keeps its record; one that is gone may have had
 * the same id. */
static struct thread *thread_register(void) {
    int tid = stops_ended ? 0 : tasks_self();
    if (!heap_start())
        return NULL;
    lock_take(&thread_registry_lock);
    struct thread *thread = tid ? thread_by_id(tid) : NULL;
    if (thread && thread_state(thread) != THREAD_GONE)
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

/* A handler that finds the thread in the registry without knowing it would take its cache anew. */
static struct thread *register_self(void) {
    section_enter();
    struct thread *thread = thread_register();
    if (thread)
        thread_self = thread;
    section_leave();
    return thread;
}

struct thread *thread_current(void) {
    struct thread *thread = thread_self;
    if (thread != &thread_absent)
        return thread;
    thread = register_self();
    if (thread == NULL)
        return &thread_left;
    if (thread_registered_hook)
        thread_registered_hook();
    return thread_self;
}

/* The kernel must not run a handler on the stack once the next thread may have it, or the program
 * has freed it, as ruby does when the thread ends. */
static void altstack_disable(const struct thread *thread) {
    if ((thread->altstack_low == 0 && !thread->program_altstack) || stops_ended)
        return;
    signal_stack_give_none();
}

void thread_leave(void) {
    struct thread *thread = thread_self;
    if (thread == &thread_absent || thread == &thread_left)
        return;
    if (thread_leaving_hook)
        thread_leaving_hook();
    section_enter(); /* no handler refills what was emptied */
    cache_empty(&thread->cache);
    thread_self = &thread_left;
    altstack_disable(thread);
    lock_take(&thread_registry_lock);
    record_unlink(thread);
    lock_give(&thread_registry_lock);
    section_leave();
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

/* The memory stays with the record, for the next thread that gets it. A handler of the program's
 * may have interrupted the very holder of the lock; then there is none this time. */
static bool altstack_make(struct thread *thread) {
    size_t page = vm_page_bytes(), bytes = ALTSTACK_BYTES + signal_stack_frames_bytes() + page;
    bytes = (bytes + page - 1) & ~(page - 1);
    if (thread->signal_stack)
        return true;
    if (!lock_take_within(&thread_registry_lock, PATIENCE_MILLISECONDS))
        return false;
    uintptr_t block = (uintptr_t)metadata_take(bytes);
    struct signal_stack *stack = block ? signal_stack_make(block, bytes) : NULL;
    lock_give(&thread_registry_lock);
    if (stack == NULL)
        return false;
    thread->altstack_low = stack->low;
    thread->altstack_high = stack->high;
    thread->signal_stack = stack;
    return true;
}

static bool overlap(uintptr_t low, uintptr_t high, uintptr_t other_low, uintptr_t other_high) {
    return low < other_high && other_low < high;
}

/* Whether another thread has some of it, too, as far as both were looked at. */
static bool is_shared(const struct thread *thread) {
    const struct thread *other = first;
    if (!lock_take_within(&thread_registry_lock, PATIENCE_MILLISECONDS))
        return false;
    while (other &&
           (other == thread || thread_state(other) == THREAD_GONE ||
            !overlap(thread->bare_low, thread->bare_high, other->bare_low, other->bare_high)))
        other = other->next;
    lock_give(&thread_registry_lock);
    return other != NULL;
}

static bool may_stay(struct thread *thread, const stack_t *setting) {
    thread->bare_low = (uintptr_t)setting->ss_sp;
    thread->bare_high = thread->bare_low + setting->ss_size;
    return signal_stack_has_room(setting) && !is_shared(thread);
}

/* What the kernel has that is not ours is what the program would be told. */
static void give_altstack(struct thread *thread, bool covers) {
    struct signal_stack *stack = thread->signal_stack;
    stack_t setting;
    if (!signal_stack_ask(&setting) || signal_stack_of(&setting) == stack)
        return;
    bool is_set = !(setting.ss_flags & SS_DISABLE);
    thread->program_altstack =
        is_set && (!thread_covers_altstacks || (!covers && may_stay(thread, &setting)));
    if (thread->program_altstack)
        return;
    if (is_set)
        stack->program = setting;
    else
        signal_stack_clear(stack);
    thread->program_altstack = !signal_stack_give(stack) && is_set;
}

void thread_ensure_altstack(void) {
    struct thread *thread = thread_self;
    if (thread->has_cache && altstack_make(thread))
        give_altstack(thread, false);
}

void thread_cover_altstack(void) {
    struct thread *thread = thread_self;
    if (thread->has_cache && altstack_make(thread))
        give_altstack(thread, true);
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
    if (!thread_self->has_cache || stops_ended)
        return;
    chain_remove(chain_for(thread_self), thread_self);
    thread_self->tid = tasks_self();
    chain_add(chain_for(thread_self), thread_self);
}
