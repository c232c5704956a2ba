/* Stacks: blocking, bottoms that are told and set, fibres, signal stacks. */
#include "herd.h"
#include "suite.h"

#include "differences.h"

#include "gc/gc_mark.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static struct herd herd, other_herd;

static void collect_and_look(void) {
    collect();
    ck_assert_int_eq(living(&herd), HERD);
}

/* Blocking, and being active within it. */

static void *collect_active(void *argument) {
    collect();
    ck_assert_int_eq(living(&herd), HERD);
    return argument;
}

static int depth;

static void *block(void *argument);

static void enter_again(void) { ck_assert_ptr_eq(GC_do_blocking(block, &depth), &depth); }

static void *become_active(void *argument) {
    with_herd(&other_herd, enter_again);
    return argument;
}

/* Each level holds a herd that only its frame knows. */
static void *block(void *argument) {
    if (++depth < 5)
        return GC_call_with_gc_active(become_active, argument);
    return GC_call_with_gc_active(collect_active, argument);
}

START_TEST(blocking_and_activity_nest) {
    GC_INIT();
    with_herd(&herd, enter_again);
    ck_assert_int_eq(depth, 5);
    ck_assert_int_eq(living(&other_herd), HERD);
}
END_TEST

static volatile int is_blocked, goes_on;

static void *sleep_blocked(void *argument) {
    is_blocked = 1;
    while (!goes_on)
        usleep(1000);
    return argument;
}

static void block_here(void) { GC_do_blocking(sleep_blocked, NULL); }

static void *hold_while_blocked(void *unused) {
    with_herd(&herd, block_here);
    return unused;
}

START_TEST(a_blocked_thread_keeps_its_callers_frames) {
    pthread_t thread;
    GC_INIT();
    GC_pthread_create(&thread, NULL, hold_while_blocked, NULL);
    while (!is_blocked)
        usleep(1000);
    collect();
    ck_assert_int_eq(living(&herd), HERD);
    goes_on = 1;
    GC_pthread_join(thread, NULL);
    collect();
    ck_assert_int_lt(living(&herd), HERD / 3);
}
END_TEST

static void *use_base(struct GC_stack_base *base, void *argument) {
    ck_assert((char *)base->mem_base > (char *)__builtin_frame_address(0) - 4096);
    with_herd(&herd, collect_and_look);
    return argument;
}

START_TEST(a_function_is_called_with_a_stack_base) {
    GC_INIT();
    ck_assert_ptr_eq(GC_call_with_stack_base(use_base, &herd), &herd);
}
END_TEST

START_TEST(the_bottom_of_a_stack_is_told_and_set) {
    struct GC_stack_base base, lower;
    GC_INIT();
    void *handle = GC_get_my_stackbottom(&base);
    ck_assert_ptr_nonnull(handle);
    ck_assert_ptr_eq(base.mem_base, GC_stackbottom);
    ck_assert((char *)base.mem_base > (char *)&base);
    lower.mem_base = (char *)base.mem_base - 16;
    GC_set_stackbottom(NULL, &lower);
    GC_get_my_stackbottom(&lower);
    ck_assert_ptr_eq(lower.mem_base, (char *)base.mem_base - 16);
    GC_set_stackbottom(handle, &base);
    ck_assert_ptr_eq(GC_stackbottom, base.mem_base);
    with_herd(&herd, collect_and_look);
}
END_TEST

/* A fibre as schedulers have them: a stack of mmap, told to the collector when it is switched to.
 */

enum { FIBRE_BYTES = 256 << 10 };

static ucontext_t own_context, fibre_context;
static char *fibre_stack;
static void *stack_handle;
static struct GC_stack_base own_base, fibre_base;
static GC_push_other_roots_proc pushed_before;
static void *own_pointer;

/* The stack that the thread is not on is pushed by whoever knows of it. */
static void push_other_stack(void) {
    pushed_before();
    if (own_pointer)
        GC_push_all_eager(own_pointer, own_base.mem_base);
}

static void *switch_base(void *base) {
    GC_set_stackbottom(stack_handle, base);
    return NULL;
}

static void run_fibre(void) {
    struct GC_stack_base told;
    GC_call_with_alloc_lock(switch_base, &fibre_base);
    GC_get_my_stackbottom(&told);
    ck_assert_ptr_eq(told.mem_base, fibre_base.mem_base);
    with_herd(&other_herd, collect_and_look);
    ck_assert_int_eq(living(&other_herd), HERD);
    GC_call_with_alloc_lock(switch_base, &own_base);
}

static void enter_fibre(void) {
    own_pointer = __builtin_frame_address(0);
    own_pointer = (char *)own_pointer - 8192;
    swapcontext(&own_context, &fibre_context);
    own_pointer = NULL;
    GC_get_my_stackbottom(&fibre_base);
    ck_assert_ptr_eq(fibre_base.mem_base, own_base.mem_base);
    collect_and_look();
}

static void *use_fibre(void *unused) {
    fibre_stack =
        mmap(NULL, FIBRE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fibre_base.mem_base = fibre_stack + FIBRE_BYTES;
    stack_handle = GC_get_my_stackbottom(&own_base);
    pushed_before = GC_get_push_other_roots();
    GC_set_push_other_roots(push_other_stack);
    getcontext(&fibre_context);
    fibre_context.uc_stack.ss_sp = fibre_stack;
    fibre_context.uc_stack.ss_size = FIBRE_BYTES;
    fibre_context.uc_link = &own_context;
    makecontext(&fibre_context, run_fibre, 0);
    with_herd(&herd, enter_fibre);
    GC_set_push_other_roots(pushed_before);
    return unused;
}

START_TEST(fibres_keep_what_their_stacks_hold) {
    pthread_t thread;
    GC_INIT();
    if (_i == 0) {
        use_fibre(NULL);
        return;
    }
    GC_pthread_create(&thread, NULL, use_fibre, NULL);
    GC_pthread_join(thread, NULL);
}
END_TEST

/* On a signal stack. */

static char *signal_stack;

static void collect_in_handler(int number) {
    (void)number;
    with_herd(&other_herd, collect_and_look);
    ck_assert_int_eq(living(&other_herd), HERD);
}

static void raise_signal(void) { raise(SIGUSR2); }

START_TEST(an_alternate_stack_is_scanned) {
    struct sigaction action = {.sa_handler = collect_in_handler, .sa_flags = SA_ONSTACK};
    struct GC_stack_base base;
    GC_get_stack_base(&base);
    signal_stack = malloc(1 << 18);
    GC_INIT();
    GC_register_altstack((char *)base.mem_base - (1 << 20), 1 << 20, signal_stack, 1 << 18);
    stack_t stack = {.ss_sp = signal_stack, .ss_size = 1 << 18};
    if (differs(EVERY_THREAD_STOPS)) {
        sigaltstack(&stack, NULL);
        sigaction(SIGUSR2, &action, NULL);
        with_herd(&herd, raise_signal);
    }
    with_herd(&herd, collect_and_look);
}
END_TEST

/* Stack pointers that the program corrects. */

enum { FURTHER_DOWN = 16384 };

static volatile bool is_spinning, enough;
static uintptr_t found_pointer, spinning_frame;
static pthread_t found_thread;
static bool goes_down;

static void correct(void **pointer, void *thread) {
    found_pointer = (uintptr_t)*pointer;
    found_thread = (pthread_t)thread;
    if (goes_down)
        *pointer = (char *)*pointer - FURTHER_DOWN;
}

__attribute__((noinline)) static void leave_in_dead_frame(void) {
    void *volatile objects[HERD];
    for (int i = 0; i < HERD; i++) {
        objects[i] = GC_malloc(32);
        watch(&herd, i, objects[i]);
    }
}

/* A signal's frame comes to lie where this one's was. */
__attribute__((noinline)) static void leave_further_down(void) {
    volatile char frame[FURTHER_DOWN * 3 / 4];
    frame[0] = 0;
    leave_in_dead_frame();
    (void)frame[0];
}

static void *spin_above_dead_frame(void *unused) {
    leave_further_down();
    spinning_frame = (uintptr_t)__builtin_frame_address(0);
    is_spinning = true;
    while (!enough)
        continue;
    return unused;
}

START_TEST(programs_correct_stack_pointers) {
    pthread_t thread;
    if (!differs(STACKS_CAN_BE_CORRECTED))
        return;
    GC_INIT();
    ck_assert(GC_get_sp_corrector() == NULL);
    GC_pthread_create(&thread, NULL, spin_above_dead_frame, NULL);
    while (!is_spinning)
        usleep(100);
    GC_set_sp_corrector(correct);
    ck_assert(GC_get_sp_corrector() == correct);
    goes_down = true;
    collect();
    ck_assert(pthread_equal(found_thread, thread));
    ck_assert_uint_le(found_pointer, spinning_frame);
    ck_assert_uint_ge(found_pointer, spinning_frame - 4096);
    ck_assert_int_eq(living(&herd), HERD);
    goes_down = false;
    collect();
    ck_assert_int_le(living(&herd), HERD - MOST);
    GC_set_sp_corrector(NULL);
    found_pointer = 0;
    collect();
    ck_assert_uint_eq(found_pointer, 0);
    enough = true;
    GC_pthread_join(thread, NULL);
}
END_TEST

int main(void) {
    const TTest *const once[] = {
        blocking_and_activity_nest,
        a_blocked_thread_keeps_its_callers_frames,
        a_function_is_called_with_a_stack_base,
        the_bottom_of_a_stack_is_told_and_set,
        an_alternate_stack_is_scanned,
        programs_correct_stack_pointers,
    };
    const struct looped loops[] = {{fibres_keep_what_their_stacks_hold, 2}};
    return SUITE_RUN_LOOPS("libgc, stacks", once, loops, 60);
}
