/* The cycle room's inside: phases, credit, and assists that pay on the alternate stack. */
#include "suite.h"

#include "alloc/alloc.h"
#include "cycle/assist.h"
#include "cycle/credit.h"
#include "cycle/cycle.h"
#include "cycle/pace.h"
#include "cycle/phase.h"
#include "cycle/worker.h"
#include "heap/object.h"
#include "mark/jobs.h"
#include "os/clock.h"
#include "os/dirty.h"
#include "os/options.h"
#include "os/tasks.h"
#include "thread/thread.h"
#include "thread/world.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(the_last_marker_to_leave_finds_completion_once) {
    ck_assert(!phase_enter());
    phase_open(true);
    ck_assert(phase_enter() && phase_enter());
    ck_assert(!phase_leave());
    ck_assert(!phase_claim());
    ck_assert(phase_leave());
    ck_assert_int_eq(phase_now(), PHASE_COMPLETE);
    ck_assert(!phase_enter());
    ck_assert(phase_claim());
    ck_assert(!phase_claim());
    phase_close(true);
    ck_assert_int_eq(phase_now(), PHASE_OFF);
}
END_TEST

START_TEST(a_round_is_not_complete_before_whoever_opened_it_as_a_marker_has_left) {
    phase_open_entered(false);
    ck_assert(phase_enter());
    ck_assert(!phase_leave());
    ck_assert_int_eq(phase_now(), PHASE_MARKING);
    ck_assert(phase_leave());
    ck_assert(phase_claim());
    phase_close(false);
}
END_TEST

START_TEST(no_round_is_complete_while_a_job_is_left) {
    struct job job = {4096, 8192, JOB_ROOTS, SCAN_WORDS};
    ck_assert(heap_start());
    ck_assert(jobs_add(job));
    phase_open(true);
    ck_assert(phase_enter());
    ck_assert(!phase_leave());
    ck_assert(phase_enter());
    ck_assert(jobs_take(&job) && !jobs_take(&job));
    ck_assert(phase_leave());
    ck_assert(phase_claim());
    phase_close(true);
}
END_TEST

START_TEST(long_jobs_come_in_pieces_that_overlap_by_a_word) {
    enum { BYTES = 1 << 20 };
    struct job job = {1 << 20, (1 << 20) + BYTES, JOB_ROOTS, SCAN_WORDS};
    uintptr_t covered = job.start;
    ck_assert(heap_start());
    ck_assert(jobs_add(job));
    while (jobs_take(&job)) {
        ck_assert_uint_le(job.start, covered);
        ck_assert_uint_le(job.end - job.start, BYTES / 4);
        ck_assert(covered == 1 << 20 || job.start + sizeof(uintptr_t) <= covered);
        covered = job.end;
    }
    ck_assert_uint_eq(covered, (1 << 20) + BYTES);
}
END_TEST

struct parked {
    struct thread *thread;
    pthread_t id;
    long owed;
    volatile unsigned order; /* when it was paid */
};

static volatile unsigned paid_count;

static void *park(void *context) {
    struct parked *parked = context;
    parked->thread = thread_current();
    parked->thread->owed = parked->owed;
    credit_park(parked->thread, 10000000000ll);
    parked->order = AO_int_fetch_and_add1_full(&paid_count) + 1;
    return NULL;
}

static void wait_until_parked(const struct parked *parked) {
    char state = 0;
    while (state != 'S') {
        usleep(1000);
        state = parked->thread ? tasks_state(parked->thread->tid) : 0;
    }
    usleep(20000);
}

/* Marking goes on for whoever asks, without a cycle. */
static void pretend_to_mark(bool on) {
    AO_char_store(&heap.marking, on);
    if (on)
        phase_open(true);
    else
        phase_close(true);
}

START_TEST(flushed_credit_pays_the_queue_in_order_and_then_the_pool) {
    struct parked parked[3] = {{.owed = 1000}, {.owed = 500}, {.owed = 700}};
    ck_assert(heap_start());
    pretend_to_mark(true);
    for (int i = 0; i < 3; i++) {
        pthread_create(&parked[i].id, NULL, park, &parked[i]);
        wait_until_parked(&parked[i]);
    }
    credit_flush(400);
    usleep(20000);
    ck_assert_uint_eq(paid_count, 0);
    credit_flush(600);
    pthread_join(parked[1].id, NULL);
    usleep(20000);
    ck_assert_uint_eq(paid_count, 1);
    credit_flush(1200);
    pthread_join(parked[2].id, NULL);
    pthread_join(parked[0].id, NULL);
    ck_assert_uint_eq(credit_take(1000), 0);
    credit_flush(300);
    ck_assert_uint_eq(credit_take(1000), 300);
    ck_assert_uint_eq(credit_take(1000), 0);
    pretend_to_mark(false);
}
END_TEST

START_TEST(the_end_of_a_mark_wakes_all_and_nobody_parks_after_it) {
    struct parked parked[4] = {{.owed = 1}, {.owed = 1 << 20}, {.owed = 5}, {.owed = 9}};
    ck_assert(heap_start());
    pretend_to_mark(true);
    for (int i = 0; i < 4; i++) {
        pthread_create(&parked[i].id, NULL, park, &parked[i]);
        wait_until_parked(&parked[i]);
    }
    pretend_to_mark(false);
    credit_wake_all();
    for (int i = 0; i < 4; i++)
        pthread_join(parked[i].id, NULL);
    long long start = clock_nanoseconds();
    park(&parked[0]);
    ck_assert_int_lt(clock_nanoseconds() - start, 1000000000);
}
END_TEST

static struct {
    uintptr_t frame, frames_end;
    uint64_t before, after;
    bool was_due, is_due, was_white, is_white, ran, on_altstack;
    size_t done;
    enum thread_state state;
    uintptr_t disguised;
} seen;

/* Of its frames: libc keeps the thread's own memory above them on the same stack. */
static uint64_t stack_sum(const struct thread *thread) {
    uint64_t sum = 0;
    for (uintptr_t at = thread->stack_pointer; at < seen.frames_end; at += 8)
        sum = sum * 31 + *(const volatile uint64_t *)at;
    return sum;
}

static bool is_white(void) {
    struct object object;
    return object_find(~seen.disguised, &object) && *object_state(object) == object_white();
}

static void note_assist(struct thread *thread) {
    seen.frame = (uintptr_t)__builtin_frame_address(0);
    seen.state = thread_state(thread);
    seen.was_due = AO_int_load(&thread->stack_due);
    seen.was_white = is_white();
    seen.before = stack_sum(thread);
    seen.done = assist_mark(thread, SIZE_MAX);
    seen.after = stack_sum(thread);
    seen.is_due = AO_int_load(&thread->stack_due);
    seen.is_white = is_white();
}

/* Allocates until a cycle has begun. */
static void begin_cycle(void) {
    for (int i = 0; i < 10000000 && phase_now() != PHASE_MARKING; i++)
        REQUIRE(alloc_fast(100));
    ck_assert_int_eq(phase_now(), PHASE_MARKING);
}

static void know_own_stack(void) {
    pthread_attr_t attributes;
    void *low;
    size_t bytes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &bytes);
    pthread_attr_destroy(&attributes);
    thread_set_stack((uintptr_t)low, (uintptr_t)low + bytes);
}

/* One of the objects that nothing has led to so far; stale copies may lead to some. */
static void choose_white(const uintptr_t *disguised, size_t count) {
    for (size_t i = 0; i < count; i++) {
        seen.disguised = disguised[i];
        if (is_white())
            return;
    }
}

/* In a thread, because the bounds of its stack are told. The objects were allocated before the
 * cycle began and are known in disguise until then; afterwards this stack leads to one of them. */
static void *assist_once(void *context) {
    static uintptr_t disguised[1000];
    for (size_t i = 0; i < 1000; i++)
        disguised[i] = ~(uintptr_t)alloc_fast(100);
    know_own_stack();
    seen.frames_end = (uintptr_t)__builtin_frame_address(0);
    struct thread *thread = thread_current();
    thread_ensure_altstack();
    begin_cycle();
    choose_white(disguised, 1000);
    void *volatile object = (void *)~seen.disguised;
    AO_int_store(&thread->stack_due, 1);
    seen.ran = assist_run_frozen(thread, note_assist);
    seen.on_altstack = seen.frame >= thread->altstack_low && seen.frame < thread->altstack_high;
    return object == context ? NULL : context;
}

START_TEST(debt_is_paid_on_the_alternate_stack_while_the_own_one_rests) {
    pthread_t thread;
    options.workers = 0;
    options.min_heap = 1 << 20;
    options.gc_every = 1 << 20;
    cycle_enable();
    if (dirty_open() == DIRTY_NONE)
        return;
    pthread_create(&thread, NULL, assist_once, NULL);
    pthread_join(thread, NULL);
    ck_assert_int_eq(seen.state, THREAD_FROZEN);
    ck_assert_uint_eq(seen.before, seen.after);
    ck_assert(seen.ran && seen.on_altstack);
    ck_assert(seen.was_due && !seen.is_due);
    ck_assert(seen.was_white);
    ck_assert(!seen.is_white);
    ck_assert_uint_gt(seen.done, 0);
}
END_TEST

struct node {
    struct node *next;
    size_t number;
};

static struct node *volatile list;

static void list_make(size_t count) {
    list = NULL;
    for (size_t i = 0; i < count; i++) {
        struct node *node = alloc_fast(sizeof *node + i % 100);
        *node = (struct node){list, i};
        list = node;
    }
}

static size_t list_length(void) {
    size_t length = 0;
    for (struct node *node = list; node; node = node->next)
        length += alloc_usable_bytes(node) > 0;
    return length;
}

static void make_garbage(size_t bytes) {
    for (size_t i = 0; i < bytes; i += 100)
        REQUIRE(alloc_fast(100));
}

/* All that is known of completion comes back through thread->param. */
static void check_assists_alone(void) {
    enum { NODES = 100000 };
    options.workers = 0;
    options.min_heap = 1 << 20;
    cycle_enable();
    list_make(NODES);
    make_garbage(200 << 20);
    ck_assert_uint_eq(worker_count(), 0);
    ck_assert_uint_gt(cycle_totals().cycles, 3);
    ck_assert_uint_eq(cycle_totals().cancelled, 0);
    ck_assert_uint_eq(list_length(), NODES);
    ck_assert_uint_lt(AO_load(&heap.live), 60 << 20);
    if (dirty_open() != DIRTY_NONE) {
        ck_assert_uint_gt(cycle_totals().completed_by_assist, 3);
        ck_assert_int_gt(cycle_totals().assist_total, 0);
    }
}

START_TEST(assists_alone_finish_cycles) { check_assists_alone(); }
END_TEST

static volatile unsigned by_signal, on_signal_stack;

static void count_asked(struct thread *thread) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (thread->assist_due) {
        by_signal++;
        on_signal_stack += here >= thread->altstack_low && here < thread->altstack_high;
    }
    assist_asked(thread);
}

START_TEST(a_signal_to_oneself_leads_onto_the_stack_as_well) {
    strcpy(options.assist, "signal");
    cycle_enable();
    world_asked_hook = count_asked;
    check_assists_alone();
    world_asked_hook = count_asked;
    if (dirty_open() == DIRTY_NONE)
        return;
    list_make(100000);
    make_garbage(200 << 20);
    ck_assert_uint_gt(by_signal, 3);
    ck_assert_uint_eq(by_signal, on_signal_stack);
}
END_TEST

START_TEST(debt_is_forgiven_when_marking_is_off) {
    struct thread *thread = thread_current();
    cycle_enable();
    ck_assert(!assist_charge(thread, 1 << 20));
    ck_assert_int_eq(thread->assist_bytes, 0);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        the_last_marker_to_leave_finds_completion_once,
        a_round_is_not_complete_before_whoever_opened_it_as_a_marker_has_left,
        no_round_is_complete_while_a_job_is_left,
        long_jobs_come_in_pieces_that_overlap_by_a_word,
        flushed_credit_pays_the_queue_in_order_and_then_the_pool,
        the_end_of_a_mark_wakes_all_and_nobody_parks_after_it,
        debt_is_paid_on_the_alternate_stack_while_the_own_one_rests,
        assists_alone_finish_cycles,
        a_signal_to_oneself_leads_onto_the_stack_as_well,
        debt_is_forgiven_when_marking_is_off,
    };
    return SUITE_RUN("assist", tests, 60);
}
