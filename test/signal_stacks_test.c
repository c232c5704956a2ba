/* Signal stacks: where the program's handlers run and what they see is as without a collector, and
 * the collector does no harm to, and takes none from, the memory that the program gave for one.
 *
 * Runs under tithe; all but what asks for a collection holds without it, too. */
#include "suite.h"
#include "tithe.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK_BYTES = 65536, HALF_A_PAGE = 2048 };

#pragma weak tithe_collect
static void collect(void) {
    if (tithe_collect)
        tithe_collect();
}

static char *map(size_t bytes) {
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(start != MAP_FAILED);
    return start;
}

static void set_stack(void *start, size_t bytes, int flags) {
    stack_t stack = {.ss_sp = start, .ss_size = bytes, .ss_flags = flags};
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    ck_assert_int_eq(sigaction(number, &action, NULL), 0);
}

/* A thread that rests on a signal stack of its own making while others collect. */
struct rester {
    pthread_t thread;
    void (*prepare)(struct rester *rester);
    void *stack;
    size_t bytes;
    volatile bool ready, done;
};

static void *rest(void *argument) {
    struct rester *rester = argument;
    rester->prepare(rester);
    rester->ready = true;
    while (!rester->done)
        usleep(1000);
    return NULL;
}

static void rester_start(struct rester *rester, void (*prepare)(struct rester *rester)) {
    rester->prepare = prepare;
    ck_assert_int_eq(pthread_create(&rester->thread, NULL, rest, rester), 0);
    while (!rester->ready)
        usleep(100);
}

static void rester_end(struct rester *rester) {
    rester->done = true;
    ck_assert_int_eq(pthread_join(rester->thread, NULL), 0);
}

static void collect_some(void) {
    for (int i = 0; i < 10; i++)
        collect();
}

static void take_shared(struct rester *rester) { set_stack(rester->stack, rester->bytes, 0); }

START_TEST(threads_may_share_one) {
    struct rester resters[6] = {0};
    char *stack = memset(map(STACK_BYTES), 7, STACK_BYTES);
    for (int i = 0; i < 6; i++) {
        resters[i].stack = stack;
        resters[i].bytes = STACK_BYTES;
        rester_start(&resters[i], take_shared);
    }
    take_shared(&resters[0]);
    collect_some();
    for (int i = 0; i < 6; i++)
        rester_end(&resters[i]);
    for (int i = 0; i < STACK_BYTES; i++)
        REQUIRE(stack[i] == 7);
}
END_TEST

/* What lies around a small one is somebody else's. */
START_TEST(one_may_be_small) {
    struct rester rester = {.bytes = HALF_A_PAGE};
    char *around = memset(map(STACK_BYTES), 7, STACK_BYTES);
    rester.stack = around + STACK_BYTES / 2;
    rester_start(&rester, take_shared);
    collect_some();
    rester_end(&rester);
    for (int i = 0; i < STACK_BYTES; i++)
        REQUIRE(around[i] == 7);
}
END_TEST

static void unmap_it(struct rester *rester) {
    set_stack(map(STACK_BYTES), STACK_BYTES, 0);
    (void)rester;
    stack_t stack;
    ck_assert_int_eq(sigaltstack(NULL, &stack), 0);
    ck_assert_int_eq(syscall(SYS_munmap, stack.ss_sp, STACK_BYTES), 0);
}

static void close_it(struct rester *rester) {
    rester->stack = map(STACK_BYTES);
    set_stack(rester->stack, STACK_BYTES, 0);
    ck_assert_int_eq(mprotect(rester->stack, STACK_BYTES, PROT_NONE), 0);
}

/* Natively nobody minds that it is read-only, as long as no signal comes. */
static void seal_it(struct rester *rester) {
    rester->stack = map(STACK_BYTES);
    set_stack(rester->stack, STACK_BYTES, 0);
    ck_assert_int_eq(mprotect(rester->stack, STACK_BYTES, PROT_READ), 0);
}

static void free_it(struct rester *rester) {
    rester->stack = malloc(STACK_BYTES);
    set_stack(rester->stack, STACK_BYTES, 0);
    free(rester->stack);
    rester->stack = memset(malloc(STACK_BYTES), 7, STACK_BYTES);
}

/* As an allocator of the program's does it, of which nobody knows. */
static void give_it_to_others(struct rester *rester) {
    rester->stack = map(STACK_BYTES);
    set_stack(rester->stack, STACK_BYTES, 0);
    memset(rester->stack, 7, STACK_BYTES);
}

static void check_left_alone(void (*prepare)(struct rester *rester)) {
    struct rester rester = {0};
    rester_start(&rester, prepare);
    collect_some();
    for (int i = 0; i < STACK_BYTES; i++)
        REQUIRE(((char *)rester.stack)[i] == 7);
    rester_end(&rester);
}

START_TEST(one_may_be_gone_or_somebody_elses) {
    void (*const prepare[])(struct rester *) = {unmap_it, close_it, seal_it};
    for (int i = 0; i < 3; i++) {
        struct rester rester = {0};
        rester_start(&rester, prepare[i]);
        collect_some();
        rester_end(&rester);
    }
    check_left_alone(free_it);
    check_left_alone(give_it_to_others);
}
END_TEST

static void take_by_syscall(struct rester *rester) {
    stack_t stack = {.ss_sp = rester->stack, .ss_size = rester->bytes};
    ck_assert_int_eq(syscall(SYS_sigaltstack, &stack, NULL), 0);
}

/* Past every function of libc's. */
static long bare_sigaltstack(const stack_t *stack, stack_t *old) {
#if defined(__x86_64__)
    long result = SYS_sigaltstack;
    __asm__ volatile("syscall" : "+a"(result) : "D"(stack), "S"(old) : "rcx", "r11", "memory");
    return result;
#else
    return syscall(SYS_sigaltstack, stack, old);
#endif
}

/* The collector sees it when the thread next allocates. */
static void take_barely(struct rester *rester) {
    stack_t stack = {.ss_sp = rester->stack, .ss_size = rester->bytes};
    ck_assert_int_eq(bare_sigaltstack(&stack, NULL), 0);
    collect();
    collect();
}

static void check_bare(void (*take)(struct rester *rester)) {
    struct rester resters[4] = {0};
    char *stack = map(STACK_BYTES);
    for (int i = 0; i < 4; i++) {
        resters[i].stack = stack;
        resters[i].bytes = i < 2 ? STACK_BYTES : HALF_A_PAGE;
        rester_start(&resters[i], take);
    }
    collect_some();
    for (int i = 0; i < 4; i++)
        rester_end(&resters[i]);
}

START_TEST(small_and_shared_ones_may_be_set_by_bare_calls) {
    check_bare(take_by_syscall);
    check_bare(take_barely);
}
END_TEST

static volatile uintptr_t frame;
static volatile int calls;
static ucontext_t seen_context;
static stack_t seen_stack;
static int set_failure;

static void note_all(int number, siginfo_t *information, void *context) {
    stack_t other = {.ss_sp = &seen_stack, .ss_size = STACK_BYTES};
    frame = (uintptr_t)__builtin_frame_address(0);
    seen_context = *(ucontext_t *)context;
    calls += number == information->si_signo;
    REQUIRE(sigaltstack(NULL, &seen_stack) == 0);
    set_failure = sigaltstack(&other, NULL) == 0 ? 0 : errno;
}

static void use_room(int number, siginfo_t *information, void *context) {
    volatile char room[200000];
    for (size_t i = 0; i < sizeof room; i += 64)
        room[i] = (char)number;
    note_all(number, information, context);
}

/* The collector's own is there since the collection. */
START_TEST(without_one_a_handler_runs_on_the_threads_own) {
    char *here = __builtin_frame_address(0);
    collect();
    handle(SIGUSR1, use_room, SA_ONSTACK);
    raise(SIGUSR1);
    ck_assert_int_eq(calls, 1);
    ck_assert_uint_lt(frame, (uintptr_t)here);
    ck_assert_uint_gt(frame, (uintptr_t)here - (1 << 20));
    ck_assert_uint_eq(seen_context.uc_stack.ss_size, 0);
    ck_assert_int_eq(seen_stack.ss_flags, SS_DISABLE);
    ck_assert_int_eq(set_failure, 0);
}
END_TEST

START_TEST(with_one_it_runs_there_and_is_told_so) {
    char *stack = map(STACK_BYTES);
    collect();
    set_stack(stack, STACK_BYTES, 0);
    handle(SIGUSR1, note_all, SA_ONSTACK);
    for (int i = 1; i <= 3; i++) {
        raise(SIGUSR1);
        ck_assert_int_eq(calls, i);
        ck_assert_uint_lt(frame - (uintptr_t)stack, STACK_BYTES);
        ck_assert_ptr_eq(seen_context.uc_stack.ss_sp, stack);
        ck_assert_uint_eq(seen_context.uc_stack.ss_size, STACK_BYTES);
        ck_assert_int_eq(seen_context.uc_stack.ss_flags, 0);
        ck_assert_int_eq(seen_stack.ss_flags, SS_ONSTACK);
        ck_assert_int_eq(set_failure, EPERM);
        collect();
    }
    ck_assert_int_eq(sigaltstack(NULL, &seen_stack), 0);
    ck_assert(seen_stack.ss_sp == stack && seen_stack.ss_flags == 0);
}
END_TEST

static void query(int number, siginfo_t *information, void *context) {
    stack_t other = {.ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES};
    note_all(number, information, context);
    REQUIRE(sigaltstack(&other, NULL) == 0);
}

START_TEST(one_may_disarm_itself) {
    char *stack = map(STACK_BYTES);
    int autodisarm = (int)(1u << 31);
    collect();
    set_stack(stack, STACK_BYTES, autodisarm);
    handle(SIGUSR1, query, SA_ONSTACK);
    raise(SIGUSR1);
    ck_assert_uint_lt(frame - (uintptr_t)stack, STACK_BYTES);
    ck_assert_int_eq(seen_context.uc_stack.ss_flags, autodisarm);
    ck_assert_int_eq(seen_stack.ss_flags, SS_DISABLE);
    ck_assert_int_eq(sigaltstack(NULL, &seen_stack), 0);
    ck_assert_int_eq(seen_stack.ss_flags, autodisarm);
    ck_assert_ptr_eq(seen_stack.ss_sp, stack);
}
END_TEST

/* The kernel's own structure. */
struct bare_action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

START_TEST(syscall_is_as_libcs_functions_are) {
    char *here = __builtin_frame_address(0);
    struct bare_action seen, action = {note_all, SA_SIGINFO | SA_ONSTACK, NULL, 0};
    collect();
    ck_assert_int_eq(sigaltstack(NULL, &seen_stack), 0);
    ck_assert_int_eq(syscall(SYS_sigaltstack, NULL, &seen_stack), 0);
    ck_assert_int_eq(seen_stack.ss_flags, SS_DISABLE);
    handle(SIGUSR1, note_all, SA_ONSTACK);
    ck_assert_int_eq(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &seen, sizeof seen.mask), 0);
    ck_assert(seen.handler == note_all && seen.flags & SA_ONSTACK);
    action.restorer = seen.restorer;
    action.flags = seen.flags;
    ck_assert_int_eq(syscall(SYS_rt_sigaction, SIGUSR2, &action, NULL, sizeof action.mask), 0);
    raise(SIGUSR2);
    ck_assert_int_eq(calls, 1);
    ck_assert_uint_lt((uintptr_t)here - frame, 1 << 20);
    ck_assert_int_eq(syscall(SYS_rt_sigaction, SIGUSR2, &action, NULL, 4), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(syscall(SYS_close, -1), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(syscall(SYS_getpid), getpid());
    char byte = 7, copy = 0;
    struct iovec from = {&byte, 1}, to = {&copy, 1};
    ck_assert_int_eq(syscall(SYS_process_vm_readv, getpid(), &to, 1L, &from, 1L, 0L), 1);
    ck_assert_int_eq(syscall(SYS_process_vm_readv, getpid(), &to, 1L, &from, 1L, 1L), -1);
    ck_assert_int_eq(copy, 7);
}
END_TEST

START_TEST(a_wrong_one_is_refused) {
    stack_t stack = {.ss_sp = map(STACK_BYTES), .ss_size = HALF_A_PAGE - 1};
    for (int covered = 0; covered < 2; covered++) {
        stack.ss_flags = 0;
        ck_assert_int_eq(sigaltstack(&stack, NULL), -1);
        ck_assert_int_eq(errno, ENOMEM);
        stack.ss_flags = 64;
        ck_assert_int_eq(sigaltstack(&stack, NULL), -1);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_int_eq(sigaltstack(NULL, &seen_stack), 0);
        ck_assert_int_eq(seen_stack.ss_flags, SS_DISABLE);
        collect();
    }
}
END_TEST

static void die_of_a_small_one(void) {
    enum { TOO_SMALL = 1024 };
    collect();
    set_stack(map(STACK_BYTES) + STACK_BYTES / 2, getauxval(AT_MINSIGSTKSZ) - TOO_SMALL, 0);
    handle(SIGUSR1, note_all, SA_ONSTACK);
    raise(SIGUSR1);
}

START_TEST(a_frame_that_does_not_fit_kills) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        die_of_a_small_one();
        _exit(0);
    }
    waitpid(child, &status, 0);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
}
END_TEST

static void end_by_call(int number, siginfo_t *information, void *context) {
    (void)number, (void)information, (void)context;
    syscall(SYS_exit_group, 7);
}

static volatile uintptr_t signal_fault = 16; /* where nothing is */

/* As for a program that sets neither masks nor signal stacks any more. */
static void lock_in(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigprocmask, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sigaltstack, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0)
        _exit(8);
}

static void fault_in_sandbox(bool own) {
    collect();
    if (own)
        set_stack(map(STACK_BYTES), STACK_BYTES, 0);
    handle(SIGSEGV, end_by_call, SA_ONSTACK);
    lock_in();
    *(volatile int *)signal_fault = 1;
}

START_TEST(a_handler_may_begin_in_a_sandbox) {
    for (int own = 0; own < 2; own++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            fault_in_sandbox(own);
        waitpid(child, &status, 0);
        ck_assert_int_eq(status, 7 << 8);
    }
}
END_TEST

static sigjmp_buf before;
extern void __longjmp_chk(sigjmp_buf, int) __attribute__((noreturn));

static void jump_out(int number, siginfo_t *information, void *context) {
    note_all(number, information, context);
    __longjmp_chk(before, 1);
}

/* Above the thread's own stack, so that libc's check asks whether it is the signal stack. */
static void *jump_often(void *argument) {
    char *stack = argument;
    collect();
    set_stack(stack, STACK_BYTES, 0);
    ck_assert_uint_lt((uintptr_t)__builtin_frame_address(0), (uintptr_t)stack);
    for (volatile int i = 1; i <= 5; i++) {
        if (sigsetjmp(before, 1) == 0)
            raise(SIGUSR1);
        ck_assert_int_eq(calls, i);
        ck_assert_uint_lt(frame - (uintptr_t)stack, STACK_BYTES);
        ck_assert_int_eq(sigaltstack(NULL, &seen_stack), 0);
        ck_assert_int_eq(seen_stack.ss_flags, 0);
    }
    return NULL;
}

START_TEST(a_handler_may_jump_out) {
    enum { THREAD_BYTES = 1 << 18 };
    char *both = map(THREAD_BYTES + STACK_BYTES);
    pthread_attr_t attributes;
    pthread_t thread;
    handle(SIGUSR1, jump_out, SA_ONSTACK);
    pthread_attr_init(&attributes);
    ck_assert_int_eq(pthread_attr_setstack(&attributes, both, THREAD_BYTES), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, jump_often, both + THREAD_BYTES), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(calls, 5);
}
END_TEST

static ucontext_t in_handler, in_main, raiser;

static void switch_out(int number, siginfo_t *information, void *context) {
    note_all(number, information, context);
    swapcontext(&in_handler, &in_main);
}

static void raise_twice(void) {
    raise(SIGUSR1);
    raise(SIGUSR1);
}

START_TEST(a_handler_may_switch_to_another_context_and_be_resumed) {
    char *stack = map(STACK_BYTES), *raisers = map(STACK_BYTES);
    collect();
    set_stack(stack, STACK_BYTES, (int)(1u << 31));
    handle(SIGUSR1, switch_out, SA_ONSTACK);
    getcontext(&raiser);
    raiser.uc_stack.ss_sp = raisers;
    raiser.uc_stack.ss_size = STACK_BYTES;
    raiser.uc_link = &in_main;
    makecontext(&raiser, raise_twice, 0);
    swapcontext(&in_main, &raiser);
    for (int i = 1; i <= 2; i++) {
        ck_assert_int_eq(calls, i);
        ck_assert_uint_lt(frame - (uintptr_t)stack, STACK_BYTES);
        collect_some();
        swapcontext(&in_main, &in_handler);
    }
    ck_assert_int_eq(sigaltstack(NULL, &seen_stack), 0);
    ck_assert_ptr_eq(seen_stack.ss_sp, stack);
}
END_TEST

#if defined(__x86_64__)

/* Go's runtime asks the kernel which signal stack a thread has, keeps that, and ends the process if
 * a handler of its runs elsewhere. */
START_TEST(where_go_may_be_handlers_stay_on_what_the_kernel_tells) {
    if (tithe_collect == NULL)
        return;
    void *library = dlopen(getenv("GOROUTINE_LIBRARY"), RTLD_NOW);
    ck_assert_ptr_nonnull(library);
    volatile uintptr_t *at = dlsym(library, "goroutine_frame");
    struct sigaction action = {.sa_flags = SA_ONSTACK};
    *(void **)&action.sa_handler = dlsym(library, "goroutine_handler");
    stack_t stack;
    collect();
    ck_assert_int_eq(bare_sigaltstack(NULL, &stack), 0);
    ck_assert(!(stack.ss_flags & SS_DISABLE));
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    raise(SIGUSR1);
    ck_assert_uint_lt(*at - (uintptr_t)stack.ss_sp, stack.ss_size);
}
END_TEST

#endif

int main(void) {
    const TTest *const tests[] = {
        threads_may_share_one,
        one_may_be_small,
        one_may_be_gone_or_somebody_elses,
        small_and_shared_ones_may_be_set_by_bare_calls,
        without_one_a_handler_runs_on_the_threads_own,
        with_one_it_runs_there_and_is_told_so,
        one_may_disarm_itself,
        syscall_is_as_libcs_functions_are,
        a_wrong_one_is_refused,
        a_frame_that_does_not_fit_kills,
        a_handler_may_begin_in_a_sandbox,
        a_handler_may_jump_out,
        a_handler_may_switch_to_another_context_and_be_resumed,
#if defined(__x86_64__)
        where_go_may_be_handlers_stay_on_what_the_kernel_tells,
#endif
    };
    return SUITE_RUN("signal stacks", tests, 60);
}
