/* A program for test/leaks/ends.py that loses some blocks and ends as it is told to. Anything that
 * is not as it would be without us ends it with status 99.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOST = 50, BYTES = 100, WRONG = 99, THREADS = 8 };

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "wrong: %s\n", #condition);                                            \
            _exit(WRONG);                                                                          \
        }                                                                                          \
    } while (0)

/* Well below its caller's frame, so that what it leaves on the stack is cleared. */
__attribute__((noinline)) static void lose(void) {
    char room[4096];
    __asm__ volatile("" : : "r"(room) : "memory");
    for (int i = 0; i < LOST; i++)
        *(volatile char *)malloc(BYTES) = 1;
}

/* Without a call: what registers still hold would be saved below by whoever binds the name. */
__attribute__((noinline)) static void clear_stack(void) {
    volatile char room[128 << 10];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 0;
}

static volatile int *volatile nowhere;

static void fault(void) { *nowhere = 1; }

static void by_trap(void) { __builtin_trap(); }

static void by_breakpoint(void) {
#if defined(__x86_64__)
    __asm__ volatile("int3");
#else
    raise(SIGTRAP);
#endif
}

static void by_division(void) {
    volatile int zero = 0;
    if (1 / zero)
        raise(SIGFPE);
    raise(SIGFPE); /* where that is no fault */
}

static int deeper(int depth) {
    volatile char room[4096];
    room[0] = (char)depth;
    return deeper(depth + 1) + room[0];
}

static void by_stack_overflow(void) {
    const struct rlimit small = {256 << 10, 256 << 10};
    setrlimit(RLIMIT_STACK, &small);
    deeper(0);
}

/* The only pointer to a block is in a register when the fault comes. */
static void by_fault_with_register(void) {
#if defined(__x86_64__)
    char *block = malloc(1000);
    __asm__ volatile("movq %0, %%r14\n xorl %%eax, %%eax\n movq %%rax, %0\n movl $1, (%%rax)"
                     : "+r"(block)
                     :
                     : "rax", "r14", "memory");
#else
    fault();
#endif
}

/* The instruction comes again. */
static void give_up(int number) { signal(number, SIG_DFL); }

static void by_own_handler(void) {
    signal(SIGSEGV, give_up);
    fault();
}

static void raise_again(int number) {
    signal(number, SIG_DFL);
    raise(number);
}

static void by_own_handler_on_stack(void) {
    static char room[65536];
    const stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    struct sigaction action = {.sa_handler = raise_again, .sa_flags = SA_ONSTACK | SA_NODEFER};
    EXPECT(sigaltstack(&stack, NULL) == 0);
    EXPECT(sigaction(SIGTERM, &action, NULL) == 0);
    raise(SIGTERM);
}

static void *fault_in_thread(void *barrier) {
    lose();
    pthread_barrier_wait(barrier);
    fault();
    return NULL;
}

/* All of them at once. */
static void by_threads(void) {
    pthread_barrier_t barrier;
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, fault_in_thread, &barrier);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void *allocate_for_ever(void *nothing) {
    for (;;)
        free(malloc(5000));
    return nothing;
}

/* The signal comes while malloc is at work in all threads. */
static void by_term_in_malloc(void) {
    pthread_t thread;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread, NULL, allocate_for_ever, NULL);
    alarm(1);
    allocate_for_ever(NULL);
}

static void by_double_free(void) {
    char *volatile block = malloc(10);
    free(block);
    free(block);
}

static void by_broken_pipe(void) {
    int ends[2];
    EXPECT(pipe(ends) == 0 && close(ends[0]) == 0);
    EXPECT(write(ends[1], "x", 1) == 1);
}

static void by_bus(void) {
    FILE *file = tmpfile();
    volatile char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
    EXPECT(map != MAP_FAILED);
    EXPECT(*map == 1);
}

/* Signals that wait and are let in. */
static void by_pending(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    sigset_t waiting;
    EXPECT(sigpending(&waiting) == 0 && sigismember(&waiting, SIGUSR1) == 1);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* What is not ours is left alone: the program dies of nothing here. */
static volatile sig_atomic_t handled;
static void note(int number) { handled = number; }

static void by_return(void) {
    struct sigaction found;
    for (int number = 1; number < 32; number++)
        EXPECT(sigaction(number, NULL, &found) != 0 ||
               (found.sa_handler == SIG_DFL && found.sa_flags == 0));
    EXPECT(signal(SIGHUP, SIG_IGN) == SIG_DFL);
    raise(SIGHUP);
    EXPECT(signal(SIGHUP, note) == SIG_IGN);
    raise(SIGHUP);
    EXPECT(handled == SIGHUP);
    EXPECT(signal(SIGHUP, SIG_DFL) == note);
    EXPECT(signal(SIGHUP, SIG_DFL) == SIG_DFL);
    pid_t child = vfork();
    if (child == 0) {
        kill(getpid(), SIGTERM);
        _exit(WRONG);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGTERM);
}

static void by_child(void) {
    pid_t child = fork();
    if (child == 0) {
        lose();
        clear_stack();
        raise(SIGTERM);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGTERM);
}

/* As the runtime of another language does. */
static void by_bare_call(void) {
#if defined(__x86_64__)
    __asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(3) : "rcx", "r11", "memory");
#else
    syscall(SYS_exit_group, 3);
#endif
}

static void by_raise(const char *number) { raise(atoi(number)); }

static const struct end {
    const char *name;
    void (*run)(void);
} ends[] = {
    {"fault", fault},
    {"trap", by_trap},
    {"breakpoint", by_breakpoint},
    {"division", by_division},
    {"overflow", by_stack_overflow},
    {"register", by_fault_with_register},
    {"handler", by_own_handler},
    {"handler-on-stack", by_own_handler_on_stack},
    {"threads", by_threads},
    {"malloc", by_term_in_malloc},
    {"double", by_double_free},
    {"pipe", by_broken_pipe},
    {"bus", by_bus},
    {"pending", by_pending},
    {"return", by_return},
    {"child", by_child},
    {"bare", by_bare_call},
    {"abort", abort},
};

int main(int count, char **arguments) {
    EXPECT(count == 2);
    lose();
    clear_stack();
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strcmp(ends[i].name, arguments[1]) == 0)
            ends[i].run();
    if (atoi(arguments[1]) > 0)
        by_raise(arguments[1]);
    return 0;
}
