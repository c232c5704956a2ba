/* Debt and how it is paid; see assist.h. */
#include "cycle/assist.h"

#include "cycle/credit.h"
#include "cycle/pace.h"
#include "cycle/phase.h"
#include "cycle/worker.h"
#include "mark/drain.h"
#include "mark/jobs.h"
#include "mark/queue.h"
#include "os/altstack.h"
#include "os/clock.h"
#include "os/options.h"
#include "os/section.h"
#include "os/signal.h"
#include "os/syscall.h"
#include "roots/stacks.h"
#include "thread/thread.h"
#include "thread/world.h"

#include <signal.h>

enum {
    PARK_NANOSECONDS = 5000000,        /* then signals may come in */
    TIME_SLACK = 5000,                 /* nanoseconds kept before they are reported */
    STACK_NEEDED = 2 * SCAN_COPY_BYTES /* bytes of alternate stack that must be free */
};

volatile unsigned assist_cycle;
static volatile AO_t marked_objects, marked_bytes;

/* What thread->param points to when an assist has found marking complete. */
static char complete;

void assist_count_marked(struct marker *marker) {
    AO_fetch_and_add(&marked_objects, marker->marked_objects);
    AO_fetch_and_add(&marked_bytes, marker->marked_bytes);
    AO_fetch_and_add(&heap.marked, marker->marked_bytes);
    marker->marked_objects = marker->marked_bytes = 0;
    evidence_count(marker->evidence);
}

size_t assist_marked_objects(void) { return AO_load(&marked_objects); }
size_t assist_marked_bytes(void) { return AO_load(&marked_bytes); }

void assist_reset(void) {
    AO_store(&marked_objects, 0);
    AO_store(&marked_bytes, 0);
    evidence_count_anew();
}

static bool takes_stack(struct thread *thread) {
    return AO_int_compare_and_swap_full(&thread->stack_due, 1, 0);
}

size_t assist_mark(struct thread *thread, size_t quota) {
    _Alignas(16) unsigned char copy[SCAN_COPY_BYTES];
    struct marker marker = {.copy = copy};
    if (!phase_enter())
        return 0;
    if (takes_stack(thread))
        roots_scan_own_stack(&marker, thread);
    drain(&marker, quota > marker.scanned ? quota - marker.scanned : 0);
    assist_count_marked(&marker);
    pace_work_done(marker.scanned);
    credit_call_first();
    if (phase_leave())
        thread->param = &complete;
    return marker.scanned;
}

static void report_time(struct thread *thread, long long start) {
    thread->assist_nanoseconds += clock_nanoseconds() - start;
    if (thread->assist_nanoseconds < TIME_SLACK)
        return;
    pace_time_spent(thread->assist_nanoseconds, true);
    thread->assist_nanoseconds = 0;
}

/* A parked thread counts as one that waits for work, so that markers share what they have in hand
 * and call it. Without workers nobody pays for a parked thread, so it sleeps as a worker does. */
static void wait_frozen(struct thread *thread) {
    unsigned announcement = queue_announce(CREW_BESIDE);
    bool waits = phase_now() == PHASE_MARKING ? queue_is_empty() && !jobs_are_left()
                                              : phase_now() != PHASE_COMPLETE;
    if (!waits || !AO_char_load(&heap.marking)) {
        queue_withdraw(CREW_BESIDE);
    } else if (worker_count() > 0) {
        credit_park(thread, PARK_NANOSECONDS);
        queue_withdraw(CREW_BESIDE);
    } else {
        queue_sleep(CREW_BESIDE, announcement, PARK_NANOSECONDS);
    }
}

/* Pays thread->owed, as far as there is work or somebody else pays. Everything it needs is in the
 * record: the thread's own stack is frozen. */
static void assist_alloc_1(struct thread *thread) {
    long long start = clock_nanoseconds();
    thread->param = NULL;
    size_t done = assist_mark(thread, thread->owed);
    thread->owed -= done;
    report_time(thread, start);
    if (done == 0 && thread->param == NULL)
        wait_frozen(thread);
}

/* It only finds what its own stack points to and leaves the rest to others. Between two rounds it
 * goes on owing that. */
static void scan_stack_asked(void *context) {
    struct thread *thread = context;
    _Alignas(16) unsigned char copy[SCAN_COPY_BYTES];
    struct marker marker = {.copy = copy};
    if (!phase_enter()) {
        AO_int_store_full(&thread->stack_due, 1);
        return;
    }
    roots_scan_own_stack(&marker, thread);
    drain(&marker, 0);
    assist_count_marked(&marker);
    if (phase_leave())
        queue_stir(CREW_BESIDE);
}

void assist_scan_own_stack(struct thread *thread) {
    if (takes_stack(thread))
        scan_stack_asked(thread);
}

struct run {
    struct thread *thread;
    void (*function)(struct thread *thread);
    struct assist_live live;
};

/* The argument lies on the thread's own stack, so it is read before that is frozen. */
static void run_frozen(void *context) {
    const struct run run = *(const struct run *)context;
    if (run.live.interrupted)
        run.thread->stack_pointer = signal_stack_pointer(run.live.interrupted);
    else if (run.live.stack_pointer)
        run.thread->stack_pointer = run.live.stack_pointer;
    world_freeze(run.thread, run.live.interrupted);
    run.function(run.thread);
    assist_scan_own_stack(run.thread);
    world_thaw(run.thread);
}

/* A handler of the program's may be running on our stack: then what is free of it lies below. */
static uintptr_t free_top(const struct thread *thread) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), top = thread->altstack_high;
    if (here - thread->altstack_low < thread->altstack_high - thread->altstack_low)
        top = here - 4096;
    return top - thread->altstack_low >= STACK_NEEDED ? top : 0;
}

void assist_run_frozen_on(struct thread *thread, uintptr_t top, struct assist_live live,
                          void (*function)(struct thread *thread)) {
    struct run run = {thread, function, live};
    unsigned long all = ~0ul, before;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    altstack_call(top, run_frozen, &run, &thread->stack_pointer);
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof before);
}

bool assist_run_frozen(struct thread *thread, void (*function)(struct thread *thread)) {
    uintptr_t top = thread->altstack_low ? free_top(thread) : 0;
    if (top == 0)
        return false;
    assist_run_frozen_on(thread, top, (struct assist_live){0}, function);
    return true;
}

/* The thread's own signal brings it onto its signal stack, if that is ours. */
static bool run_by_signal(struct thread *thread) {
    if (thread->program_altstack || thread->altstack_low == 0)
        return false;
    thread->assist_due = true;
    world_ask_self(thread);
    bool done = !thread->assist_due;
    thread->assist_due = false;
    return done;
}

static void assist_by_signal(struct thread *thread) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (here - thread->altstack_low >= thread->altstack_high - thread->altstack_low)
        return;
    thread->assist_due = false;
    world_freeze(thread, (const void *)thread->context);
    assist_alloc_1(thread);
    world_thaw(thread);
}

/* The handler may run on a small stack of the program's, where there is no room for a marker.
 * Without one of ours it leaves the stack to the stop, and so does a thread that cannot enter a
 * section. */
static void scan_stack_in_handler(struct thread *thread) {
    uintptr_t top = thread->altstack_low ? free_top(thread) : 0, here;
    if (top)
        altstack_call(top, scan_stack_asked, thread, &here);
}

void assist_asked(struct thread *thread) {
    if (thread->assist_due)
        assist_by_signal(thread);
    else if (takes_stack(thread) && section_is_possible())
        scan_stack_in_handler(thread);
}

static bool pay_on_alternate_stack(struct thread *thread) {
    if (options.assist[1] == 'i' && run_by_signal(thread))
        return true;
    return assist_run_frozen(thread, assist_alloc_1);
}

static bool read_completion(struct thread *thread) {
    bool found = thread->param == &complete;
    thread->param = NULL;
    return found;
}

/* On the thread's own stack. The work owed is that of the whole debt, and at least so much that the
 * switch is rare. Between two rounds there is nothing to do but to wait. True when the next step of
 * the cycle is up to the caller. */
static bool assist_alloc(struct thread *thread) {
    while (thread->assist_bytes < 0 && AO_char_load(&heap.marking)) {
        double rate = pace_work_per_byte();
        size_t debt = -thread->assist_bytes * rate, least = pace_least_assist();
        size_t work = debt > least ? debt : least;
        if (rate <= 0 || !thread_in_own_process())
            break;
        size_t taken = credit_take(work);
        thread->owed = work - taken;
        if (thread->owed > 0 && !pay_on_alternate_stack(thread))
            break;
        thread->assist_bytes += (long)((double)((long)work - thread->owed) / rate) + 1;
        if (read_completion(thread))
            return true;
        if (phase_now() == PHASE_COMPLETE)
            return false;
    }
    if (thread->assist_bytes < 0)
        thread->assist_bytes = 0;
    return false;
}

bool assist_charge(struct thread *thread, size_t bytes) {
    unsigned cycle = AO_int_load(&assist_cycle);
    if (thread->assist_cycle != cycle) {
        thread->assist_cycle = cycle;
        thread->assist_bytes = 0;
    }
    thread->assist_bytes -= bytes;
    if (thread->assist_bytes >= 0 || !thread->has_cache || options.assist[0] == 'o')
        return false;
    return assist_alloc(thread);
}
