/* Signal frames: what a handler finds, and what it returns to, is as without a collector, however
 * signals come together; also of the signal that the collector stops threads with.
 *
 * Runs under tithe; all but what asks for a collection holds without it, too. */
#include "suite.h"
#include "tithe.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK_BYTES = 262144, OUR_NUMBER = 63 /* SIGRTMAX - 1 */ };

#pragma weak tithe_collect
static void collect(void) {
    if (tithe_collect)
        tithe_collect();
}

static char *signal_stack;

static void set_stack(void) {
    collect();
    signal_stack =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_sp = signal_stack, .ss_size = STACK_BYTES};
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
}

static bool is_on_signal_stack(const void *address) {
    return (uintptr_t)address - (uintptr_t)signal_stack < STACK_BYTES;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    ck_assert_int_eq(sigaction(number, &action, NULL), 0);
}

enum { MOST_CALLS = 512 };
static struct call {
    int number;
    uintptr_t frame, interrupted;
    siginfo_t information;
    sigset_t mask, saved;
} calls[MOST_CALLS];
static volatile int call_count;

static void note_call(int number, siginfo_t *information, void *context) {
    const ucontext_t *user = context;
    struct call *call = &calls[call_count++];
    call->number = number;
    call->frame = (uintptr_t)__builtin_frame_address(0);
    call->information = *information;
    call->saved = user->uc_sigmask;
#if defined(__x86_64__)
    call->interrupted = user->uc_mcontext.gregs[REG_RSP];
    REQUIRE((uintptr_t)user->uc_mcontext.fpregs % 64 == 0);
#endif
    pthread_sigmask(SIG_BLOCK, NULL, &call->mask);
}

static void block(sigset_t *before, const int *numbers, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++)
        sigaddset(&set, numbers[i]);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, before), 0);
}

/* All at once on a stack that has room for them; the last one delivered runs first, on top of the
 * others, and only the first one interrupted the thread itself. */
static void check_piled_up(const int *numbers, int count) {
    sigset_t before;
    call_count = 0;
    block(&before, numbers, count);
    for (int i = 0; i < count; i++)
        raise(numbers[i]);
    ck_assert_int_eq(call_count, 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    ck_assert_int_eq(call_count, count);
    for (int i = 1; i < count; i++)
        ck_assert_uint_lt(calls[i - 1].frame, calls[i].frame);
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(sigismember(&calls[i].mask, calls[i].number), 1);
        ck_assert_int_eq(sigismember(&calls[i].saved, calls[i].number), 0);
        ck_assert_int_eq(calls[i].information.si_signo, calls[i].number);
    }
}

static const int several[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGWINCH, SIGURG, SIGALRM, 40, 41, 42, 43};
enum { SEVERAL = sizeof several / sizeof *several };

START_TEST(signals_that_wait_together_pile_up_on_the_signal_stack) {
    set_stack();
    for (int i = 0; i < SEVERAL; i++)
        handle(several[i], note_call, SA_ONSTACK);
    check_piled_up(several, SEVERAL);
    for (int i = 0; i < SEVERAL; i++) {
        ck_assert(is_on_signal_stack((void *)calls[i].frame));
#if defined(__x86_64__)
        ck_assert_int_eq(is_on_signal_stack((void *)calls[i].interrupted), i < SEVERAL - 1);
#endif
    }
}
END_TEST

START_TEST(and_on_the_threads_own_when_there_is_none) {
    char *here = __builtin_frame_address(0);
    collect();
    for (int i = 0; i < SEVERAL; i++)
        handle(several[i], note_call, i % 3 == 0 ? 0 : SA_ONSTACK);
    check_piled_up(several, SEVERAL);
    for (int i = 0; i < SEVERAL; i++) {
        ck_assert_uint_lt(calls[i].frame, (uintptr_t)here);
        ck_assert_uint_gt(calls[i].frame, (uintptr_t)here - (1 << 20));
    }
}
END_TEST

/* Handlers with and without the flag: what is piled up on one that has it is there, too. */
START_TEST(and_in_any_order_of_those_with_the_flag_and_without) {
    set_stack();
    for (unsigned with = 0; with < 16; with++) {
        static const int some[] = {SIGUSR1, SIGUSR2, 40, 41};
        sigset_t before;
        for (int i = 0; i < 4; i++)
            handle(some[i], note_call, with >> i & 1 ? SA_ONSTACK : 0);
        call_count = 0;
        block(&before, some, 4);
        for (int i = 0; i < 4; i++)
            raise(some[i]);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        ck_assert_int_eq(call_count, 4);
        bool on = false; /* in the order in which they were delivered: the numbers' */
        for (int i = 0; i < 4; i++) {
            const struct call *call = &calls[3 - i];
            ck_assert_int_eq(call->number, some[i]);
            on |= with >> i & 1;
            ck_assert_int_eq(is_on_signal_stack((void *)call->frame), on);
        }
    }
}
END_TEST

/* A mask for the time of the call only: both are handled before it returns. */
START_TEST(sigsuspend_lets_in_all_that_its_mask_admits) {
    static const int two[] = {SIGUSR1, SIGUSR2};
    sigset_t before, none;
    set_stack();
    sigemptyset(&none);
    for (int i = 0; i < 2; i++)
        handle(two[i], note_call, SA_ONSTACK);
    block(&before, two, 2);
    raise(SIGUSR1);
    raise(SIGUSR2);
    ck_assert_int_eq(sigsuspend(&none), -1);
    ck_assert_int_eq(errno, EINTR);
    ck_assert_int_eq(call_count, 2);
    ck_assert_int_eq(sigismember(&calls[0].mask, SIGUSR2), 1);
    ck_assert_int_eq(sigismember(&calls[0].mask, SIGUSR1), 1);
    ck_assert_int_eq(sigismember(&calls[1].mask, SIGUSR2), 0);
    ck_assert_int_eq(sigismember(&calls[1].saved, SIGUSR2), 1);
}
END_TEST

/* Each on top of the one before, on the thread's own large stack. */
START_TEST(a_handler_that_does_not_defer_itself_may_pile_up) {
    enum { FLOOD = 400 };
    int number = SIGRTMIN + 3;
    sigset_t before;
    struct sigaction seen;
    collect();
    handle(number, note_call, SA_ONSTACK | SA_NODEFER);
    ck_assert_int_eq(sigaction(number, NULL, &seen), 0);
    ck_assert(seen.sa_flags & SA_NODEFER);
    ck_assert_ptr_eq(seen.sa_sigaction, note_call);
    block(&before, &number, 1);
    for (int i = 0; i < FLOOD; i++)
        ck_assert_int_eq(sigqueue(getpid(), number, (union sigval){.sival_int = i}), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    ck_assert_int_eq(call_count, FLOOD);
    for (int i = 0; i < FLOOD; i++)
        ck_assert_int_eq(sigismember(&calls[i].mask, number), 0);
    int sum = 0;
    for (int i = 0; i < FLOOD; i++)
        sum += calls[i].information.si_value.sival_int;
    ck_assert_int_eq(sum, FLOOD * (FLOOD - 1) / 2);
}
END_TEST

static void note_old(int number) { calls[call_count++].number = number; }

START_TEST(dispositions_are_told_as_they_were_set) {
    struct sigaction seen, action = {.sa_handler = note_old, .sa_flags = SA_ONSTACK | SA_RESETHAND};
    set_stack();
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    ck_assert_int_eq(sigaction(SIGUSR1, NULL, &seen), 0);
    ck_assert_ptr_eq(seen.sa_handler, note_old);
    ck_assert((unsigned)seen.sa_flags ==
              ((unsigned)seen.sa_flags & 0x04000000) + (SA_ONSTACK | (unsigned)SA_RESETHAND));
    raise(SIGUSR1);
    ck_assert_int_eq(calls[0].number, SIGUSR1);
    ck_assert_int_eq(sigaction(SIGUSR1, NULL, &seen), 0);
    ck_assert_ptr_eq(seen.sa_handler, SIG_DFL);
    ck_assert_ptr_eq(signal(SIGUSR2, note_old), SIG_DFL);
    ck_assert_ptr_eq(signal(SIGUSR2, SIG_IGN), note_old);
    ck_assert_ptr_eq(signal(SIGUSR2, SIG_DFL), SIG_IGN);
}
END_TEST

#if defined(__x86_64__)

/* Another thread signals this one all the time, and every register keeps its value. */
static volatile bool finish;
static pthread_t target;

static void *signal_always(void *argument) {
    while (!finish) {
        pthread_kill(target, SIGUSR1);
        usleep(20);
    }
    return argument;
}

static void spoil_registers(int number, siginfo_t *information, void *context) {
    (void)information, (void)context, (void)number;
    call_count++;
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n pcmpeqd %%xmm7, %%xmm7\n pcmpeqd %%xmm15, %%xmm15" ::
                         : "xmm0", "xmm7", "xmm15");
}

static uint64_t turn(uint64_t value, uint64_t rounds) {
    uint64_t inverse = ~value, out;
    __asm__ volatile("movq %1, %%xmm7\n movq %2, %%xmm15\n mov %1, -120(%%rsp)\n"
                     "1: dec %3\n jnz 1b\n"
                     "movq %%xmm7, %0\n movq %%xmm15, %1\n not %1\n xor %1, %2\n not %2\n"
                     "and -120(%%rsp), %0\n or %2, %0"
                     : "=&r"(out), "+r"(value), "+r"(inverse), "+r"(rounds)
                     :
                     : "xmm7", "xmm15", "cc", "memory");
    return out;
}

START_TEST(registers_and_red_zone_survive_a_handler) {
    pthread_t sender;
    for (int own = 0; own < 2; own++) {
        if (own)
            set_stack();
        collect();
        handle(SIGUSR1, spoil_registers, SA_ONSTACK);
        target = pthread_self();
        finish = false;
        call_count = 0;
        ck_assert_int_eq(pthread_create(&sender, NULL, signal_always, NULL), 0);
        for (uint64_t i = 1; call_count < 500; i++)
            REQUIRE(turn(i * 0x9e3779b97f4a7c15u, 1000) == i * 0x9e3779b97f4a7c15u);
        finish = true;
        pthread_join(sender, NULL);
    }
}
END_TEST

#endif

static void *trace[64];
static int traced;
static void take_trace(int number, siginfo_t *information, void *context) {
    note_call(number, information, context);
    traced = backtrace(trace, 64);
}

__attribute__((noinline)) static int raise_here(void) { return raise(SIGUSR1) + call_count; }

START_TEST(a_backtrace_goes_through_the_frame) {
    for (int own = 0; own < 2; own++) {
        bool found = false;
        if (own)
            set_stack();
        collect();
        handle(SIGUSR1, take_trace, SA_ONSTACK);
        raise_here();
        for (int i = 0; i < traced; i++)
            found |= (uintptr_t)trace[i] - (uintptr_t)raise_here < 256;
        ck_assert(found);
    }
}
END_TEST

static volatile pid_t child;
static void fork_in_handler(int number, siginfo_t *information, void *context) {
    note_call(number, information, context);
    child = fork();
    collect();
}

static void end_in(pid_t process, int expected) {
    int status;
    ck_assert_int_eq(waitpid(process, &status, 0), process);
    ck_assert_int_eq(status, expected << 8);
}

START_TEST(both_return_from_a_handler_that_forks) {
    for (int own = 0; own < 2; own++) {
        if (own)
            set_stack();
        collect();
        handle(SIGUSR1, fork_in_handler, SA_ONSTACK);
        raise(SIGUSR1);
        if (child == 0) {
            handle(SIGUSR1, note_call, SA_ONSTACK);
            collect();
            raise(SIGUSR1);
            _exit(10 + call_count);
        }
        end_in(child, 12 + own);
    }
}
END_TEST

START_TEST(a_child_of_vfork_changes_only_its_own) {
    stack_t seen;
    set_stack();
    handle(SIGUSR1, note_call, SA_ONSTACK);
    pid_t process = vfork();
    if (process == 0) {
        stack_t other = {.ss_sp = signal_stack, .ss_size = STACK_BYTES / 2};
        raise(SIGUSR1);
        _exit(sigaltstack(&other, NULL) == 0 ? 7 : 1);
    }
    end_in(process, 7);
    ck_assert_int_eq(call_count, 1);
    ck_assert_int_eq(sigaltstack(NULL, &seen), 0);
    ck_assert_uint_eq(seen.ss_size, STACK_BYTES);
    raise(SIGUSR1);
    ck_assert_uint_gt(calls[1].frame, (uintptr_t)signal_stack + STACK_BYTES / 2);
}
END_TEST

/* Another thread collects while this one runs on a stack without room for any signal. */
static ucontext_t fibre, outside;
static volatile bool collected;
static void wait_on_fibre(void) {
    while (!collected)
        continue;
}

static void *collect_some(void *argument) {
    for (int i = 0; i < 20; i++)
        collect();
    collected = true;
    return argument;
}

START_TEST(a_fibre_may_have_no_room_for_signals) {
    enum { FIBRE_BYTES = 1024, AROUND = 8192 };
    pthread_t collector;
    char *around = memset(malloc(2 * AROUND), 7, 2 * AROUND);
    collect();
    getcontext(&fibre);
    fibre.uc_stack.ss_sp = around + AROUND;
    fibre.uc_stack.ss_size = FIBRE_BYTES;
    fibre.uc_link = &outside;
    makecontext(&fibre, wait_on_fibre, 0);
    ck_assert_int_eq(pthread_create(&collector, NULL, collect_some, NULL), 0);
    swapcontext(&outside, &fibre);
    pthread_join(collector, NULL);
    for (int i = 0; i < AROUND; i++)
        REQUIRE(around[i] == 7);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        signals_that_wait_together_pile_up_on_the_signal_stack,
        and_on_the_threads_own_when_there_is_none,
        and_in_any_order_of_those_with_the_flag_and_without,
        sigsuspend_lets_in_all_that_its_mask_admits,
        a_handler_that_does_not_defer_itself_may_pile_up,
        dispositions_are_told_as_they_were_set,
#if defined(__x86_64__)
        registers_and_red_zone_survive_a_handler,
#endif
        a_backtrace_goes_through_the_frame,
        both_return_from_a_handler_that_forks,
        a_child_of_vfork_changes_only_its_own,
        a_fibre_may_have_no_room_for_signals,
    };
    return SUITE_RUN("signal frames", tests, 60);
}
