/* Handlers of the program's may interrupt it anywhere in ours, and allocate, fork, end or leave by
 * longjmp there: nobody waits for ever, each signal comes once with all that it tells, and the
 * thread goes on with the mask that it had. Large blocks are taken and freed in sections only. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LARGE = 100000, OFTEN = 100 /* microseconds */ };

static volatile bool ending;
static volatile unsigned handled;

/* Takes and frees a block that no cache serves. */
static void use_block(size_t bytes) {
    char *volatile block = malloc(bytes);
    REQUIRE(block != NULL);
    block[0] = block[bytes - 1] = 1;
    block = realloc(block, 2 * bytes);
    REQUIRE(block != NULL && block[0] == 1 && block[bytes - 1] == 1);
    free(block);
}

static void use_blocks(unsigned until) {
    time_t end = time(NULL) + 40;
    while (handled < until && time(NULL) < end)
        for (int i = 0; i < 20; i++)
            use_block(LARGE + i * 5000);
    ck_assert_uint_ge(handled, until);
}

static void install(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags};
    ck_assert_int_eq(sigaction(number, &action, NULL), 0);
}

static void send_often(void) {
    const struct itimerval often = {{0, OFTEN}, {0, OFTEN}};
    setitimer(ITIMER_REAL, &often, NULL);
}

static sigset_t mask_now(void) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return mask;
}

static void allocate(int number, siginfo_t *information, void *context) {
    (void)number, (void)information, (void)context;
    use_block(LARGE);
    __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

static void *run_use_blocks(void *unused) {
    while (!ending)
        use_block(LARGE);
    return unused;
}

/* Flags: none, on a signal stack, and nested. */
START_TEST(handler_that_allocates_may_interrupt_an_allocation) {
    static const int flags[] = {0, SA_ONSTACK, SA_NODEFER, SA_NODEFER | SA_ONSTACK};
    static char stack[1 << 18];
    const stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    pthread_t thread;
    ck_assert_int_eq(sigaltstack(&own, NULL), 0);
    install(SIGALRM, allocate, SA_RESTART | flags[_i]);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_use_blocks, NULL), 0);
    send_often();
    use_blocks(4000);
    ending = true;
    pthread_join(thread, NULL);
    sigset_t mask = mask_now();
    ck_assert_int_eq(sigismember(&mask, SIGALRM), 0);
}
END_TEST

/* There a handler is not put off, because the filter may not know the calls. */
START_TEST(so_it_may_where_the_program_has_locked_itself_in) {
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    install(SIGALRM, allocate, SA_RESTART);
    send_often();
    use_blocks(4000);
    sigset_t mask = mask_now();
    ck_assert_int_eq(sigismember(&mask, SIGALRM), 0);
}
END_TEST

/* With _i: in sigsuspend and in ppoll. The signal is blocked but in these, so that each of them
 * ends with a handler, which has run when it ends. */
START_TEST(waits_that_let_signals_in_end_with_their_handlers) {
    const struct timespec long_time = {20, 0};
    sigset_t alarm, before;
    pthread_t thread;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, &before);
    install(SIGALRM, allocate, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_use_blocks, NULL), 0);
    send_often();
    for (int i = 0; i < 2000; i++) {
        unsigned seen = handled;
        int result = _i ? ppoll(NULL, 0, &long_time, &before) : sigsuspend(&before);
        ck_assert(result == -1 && errno == EINTR);
        ck_assert_uint_ne(handled, seen);
        use_block(LARGE);
    }
    ending = true;
    pthread_join(thread, NULL);
}
END_TEST

static sigjmp_buf place;

static void leave(int number, siginfo_t *information, void *context) {
    (void)number, (void)information, (void)context;
    handled++;
    siglongjmp(place, 1);
}

START_TEST(handler_that_jumps_out_leaves_nothing_locked) {
    install(SIGALRM, leave, 0);
    send_often();
    sigsetjmp(place, 1);
    while (handled < 3000)
        use_block(LARGE);
    signal(SIGALRM, SIG_IGN);
}
END_TEST

/* One of each number is under way at a time, and the next is sent when it has come. */
enum { VALUES = 3000, KINDS = 3 };
static volatile int came[KINDS];
static volatile bool wrong;

static void note_value(int number, siginfo_t *information, void *context) {
    (void)context;
    int kind = number - SIGRTMIN, value = information->si_value.sival_int;
    sigset_t mask = mask_now();
    wrong |= information->si_code != SI_QUEUE || information->si_pid != getpid();
    wrong |= value != came[kind] + 1 || sigismember(&mask, number) != 1;
    wrong |= sigismember(&mask, SIGUSR1) != 0;
    use_block(LARGE);
    came[kind] = value;
    __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED); /* a handler may interrupt another one */
}

static void *send_values(void *to) {
    for (int value = 1; value <= VALUES; value++) {
        for (int kind = 0; kind < KINDS; kind++)
            REQUIRE(pthread_sigqueue(*(pthread_t *)to, SIGRTMIN + kind,
                                     (union sigval){.sival_int = value}) == 0);
        for (int kind = 0; kind < KINDS; kind++)
            while (came[kind] < value && !ending)
                continue;
    }
    return to;
}

START_TEST(each_value_comes_once_and_with_the_right_mask) {
    pthread_t self = pthread_self(), sender;
    for (int kind = 0; kind < KINDS; kind++)
        install(SIGRTMIN + kind, note_value, SA_SIGINFO | SA_RESTART);
    ck_assert_int_eq(pthread_create(&sender, NULL, send_values, &self), 0);
    use_blocks(VALUES * KINDS);
    ending = true;
    pthread_join(sender, NULL);
    ck_assert(!wrong);
    ck_assert_uint_eq(handled, VALUES * KINDS);
    sigset_t mask = mask_now(), waiting;
    sigpending(&waiting);
    for (int number = 1; number < SIGRTMAX; number++)
        ck_assert(number == 32 || number == 33 ||
                  (sigismember(&mask, number) == 0 && sigismember(&waiting, number) == 0));
}
END_TEST

static void handle_once(int number, siginfo_t *information, void *context) {
    struct sigaction action;
    (void)information, (void)context;
    sigaction(number, NULL, &action);
    wrong |= action.sa_handler != SIG_DFL;
    use_block(LARGE);
    install(number, handle_once, SA_RESETHAND);
    handled++;
}

static void *send_singly(void *to) {
    for (unsigned count = 1; count <= VALUES; count++) {
        pthread_kill(*(pthread_t *)to, SIGUSR1);
        while (handled < count && !ending)
            continue;
    }
    return to;
}

START_TEST(handler_that_is_to_run_once_runs_once) {
    pthread_t self = pthread_self(), sender;
    install(SIGUSR1, handle_once, SA_RESETHAND);
    ck_assert_int_eq(pthread_create(&sender, NULL, send_singly, &self), 0);
    use_blocks(VALUES);
    ending = true;
    pthread_join(sender, NULL);
    ck_assert(!wrong);
}
END_TEST

/* A thread that has not allocated yet registers at the first call that is wrapped. */
static int null_file;

static void write_a_byte(int number, siginfo_t *information, void *context) {
    (void)number, (void)information, (void)context;
    int error = errno;
    if (write(null_file, "", 1) == 1)
        handled++;
    errno = error;
}

static void *do_nothing(void *argument) { return argument; }

static void *come_and_go(void *unused) {
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
    for (int i = 0; i < 8000; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, do_nothing, NULL) == 0);
        pthread_join(thread, NULL);
    }
    return unused;
}

START_TEST(threads_register_in_handlers_and_between_them) {
    sigset_t alarm;
    pthread_t thread;
    null_file = open("/dev/null", O_WRONLY);
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    install(SIGALRM, write_a_byte, SA_RESTART);
    send_often();
    ck_assert_int_eq(pthread_create(&thread, NULL, come_and_go, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_gt(handled, 100);
}
END_TEST

/* How a process is forked without libc's handlers. */
pid_t _Fork(void);
static pid_t fork_bare(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static pid_t fork_newly(void) {
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    return syscall(SYS_clone3, &arguments, sizeof arguments);
}

/* Programs ask like this whether the kernel has the call. */
START_TEST(bare_forks_that_make_no_sense_fail_as_ever) {
    ck_assert_int_eq(syscall(SYS_clone3, NULL, 0), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(syscall(SYS_clone3, 8, 64), -1);
    ck_assert_int_eq(errno, EFAULT);
}
END_TEST

static void fork_and_allocate(pid_t (*make)(void)) {
    pid_t child = make();
    if (child == 0) {
        for (int i = 0; i < 20; i++)
            use_block(1000 * (i + 1));
        _exit(0);
    }
    int status = -1;
    ck_assert_int_gt(child, 0);
    while (waitpid(child, &status, 0) < 0)
        continue;
    ck_assert_int_eq(status, 0);
}

/* Children find the heap whole, whatever the other threads were doing. */
START_TEST(children_without_fork_handlers_allocate) {
    static pid_t (*const makes[])(void) = {_Fork, fork_bare, fork_newly};
    pthread_t threads[2];
    install(SIGALRM, allocate, SA_RESTART);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_use_blocks, NULL), 0);
    send_often();
    for (int i = 0; i < 150; i++)
        fork_and_allocate(makes[_i]);
    ending = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

static void fork_in_handler(int number, siginfo_t *information, void *context) {
    (void)number, (void)information, (void)context;
    int error = errno;
    if (handled++ % 16 == 0)
        fork_and_allocate(handled % 32 == 1 ? fork : _Fork);
    errno = error;
}

START_TEST(handler_that_forks_may_interrupt_an_allocation) {
    install(SIGALRM, fork_in_handler, SA_RESTART);
    const struct itimerval often = {{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &often, NULL);
    use_blocks(1500);
}
END_TEST

/* The next program has the mask that this one had, and no signal waits in it. */
static void run_next(void) {
    const struct itimerval never = {{0, 0}, {0, 0}};
    char *arguments[] = {"section_test", "tell-mask", NULL};
    install(SIGALRM, allocate, SA_RESTART);
    send_often();
    for (int i = 0; i < 50; i++)
        execve("/nonexistent", arguments, (char *[]){NULL});
    signal(SIGALRM, SIG_IGN);
    setitimer(ITIMER_REAL, &never, NULL);
    execv("/proc/self/exe", arguments);
    _exit(2);
}

static int tell_mask(void) {
    sigset_t mask = mask_now(), waiting;
    sigpending(&waiting);
    return !sigisemptyset(&mask) || !sigisemptyset(&waiting);
}

START_TEST(a_program_that_is_run_has_the_mask_of_the_one_before) {
    for (int i = 0; i < 20; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0)
            run_next();
        waitpid(child, &status, 0);
        ck_assert_int_eq(status, 0);
    }
}
END_TEST

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "tell-mask") == 0)
        return tell_mask();
    const TTest *const tests[] = {
        so_it_may_where_the_program_has_locked_itself_in,
        handler_that_jumps_out_leaves_nothing_locked,
        each_value_comes_once_and_with_the_right_mask,
        handler_that_is_to_run_once_runs_once,
        threads_register_in_handlers_and_between_them,
        bare_forks_that_make_no_sense_fail_as_ever,
        handler_that_forks_may_interrupt_an_allocation,
        a_program_that_is_run_has_the_mask_of_the_one_before,
    };
    const struct looped loops[] = {
        {handler_that_allocates_may_interrupt_an_allocation, 4},
        {waits_that_let_signals_in_end_with_their_handlers, 2},
        {children_without_fork_handlers_allocate, 3},
    };
    return SUITE_RUN_LOOPS("sections", tests, loops, 60);
}
