/* A cycle's events, in libgc's order, and the functions that the program wants called in it. */
#include "api/api.h"

#include "cycle/cycle.h"
#include "heap/layout.h"
#include "os/tasks.h"
#include "thread/thread.h"
#include "weak/finalize.h"
#include "weak/table.h"

static GC_on_collection_event_proc on_event;
static GC_on_thread_event_proc on_thread_event;
static GC_start_callback_proc on_start;

static void tell(GC_EventType event) {
    if (on_event)
        on_event(event);
}

static void lock(void) { lock_take(&weak_lock); }
static void unlock(void) { lock_give(&weak_lock); }

static void begun(void) {
    GC_gc_no++;
    statistics_cycle_begun();
    tunables_apply();
    libraries_leave_out();
    lock();
    if (on_start)
        on_start();
    tell(GC_EVENT_START);
    unlock();
}

static void tell_of_threads(GC_EventType event) {
    if (on_thread_event == NULL)
        return;
    int self = tasks_self();
    for (struct thread *thread = thread_first(); thread; thread = thread->next) {
        enum thread_state state = thread_state(thread);
        if ((state == THREAD_STOPPED || state == THREAD_HELD) && thread->tid != self &&
            thread->handle)
            on_thread_event(event, (void *)thread->handle);
    }
}

static void stopping(void) { tell(GC_EVENT_PRE_STOP_WORLD); }

static void stopped(void) {
    threads_correct_stack_pointers();
    tell_of_threads(GC_EVENT_THREAD_SUSPENDED);
    tell(GC_EVENT_POST_STOP_WORLD);
    tell(GC_EVENT_MARK_START);
}

static void push_roots(struct marker *marker) {
    finalize_push_roots(marker);
    ended_push_results(marker);
    api_push_roots(marker);
}

static void marked(struct marker *marker) {
    disclaim_mark_contents(marker);
    pushing_ask(marker);
    finalize_settle(marker);
    pushing_ask(marker);
    disclaim_ask(marker);
    leak_find();
    debug_find_damage();
}

static void starting(void) {
    api_end_pushing();
    tell(GC_EVENT_MARK_END);
    tell(GC_EVENT_PRE_START_WORLD);
    tell_of_threads(GC_EVENT_THREAD_UNSUSPENDED);
}

static void started(void) {
    tell(GC_EVENT_POST_START_WORLD);
    tell(GC_EVENT_RECLAIM_START);
}

/* What is dead is known; the rest of the sweep is lazy. */
static void ended(bool done) {
    if (done)
        tunables_note_work(AO_load(&heap.live));
    lock();
    tell(GC_EVENT_RECLAIM_END);
    statistics_cycle_ended();
    tell(GC_EVENT_END);
    unlock();
}

/* What was allocated since the last cycle may be too little, unless there is no more to be had. */
static bool is_allowed(enum cycle_trigger trigger) {
    bool due = trigger != CYCLE_PACED || GC_get_bytes_since_gc() >= GC_get_min_bytes_allocd();
    if (!due || !collect_is_allowed())
        return false;
    libraries_ask();
    return true;
}

void events_install(void) {
    cycle_set_hooks((struct cycle_hooks){
        .allowed = is_allowed,
        .begun = begun,
        .lock = lock,
        .stopping = stopping,
        .stopped = stopped,
        .push_roots = push_roots,
        .marked = marked,
        .starting = starting,
        .started = started,
        .unlock = unlock,
        .ended = ended,
    });
}

void GC_set_on_collection_event(GC_on_collection_event_proc function) { on_event = function; }
GC_on_collection_event_proc GC_get_on_collection_event(void) { return on_event; }
void GC_set_on_thread_event(GC_on_thread_event_proc function) { on_thread_event = function; }
GC_on_thread_event_proc GC_get_on_thread_event(void) { return on_thread_event; }
void GC_set_start_callback(GC_start_callback_proc function) { on_start = function; }
GC_start_callback_proc GC_get_start_callback(void) { return on_start; }
