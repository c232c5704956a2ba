/* Faults that are the program's own while marks go on, for which the collector has a handler where
 * the program has none: they do what they would have done without it. Run under tithe; the suite
 * runs itself with collections all the time.
 */
#include "suite.h"

#include "os/syscall.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN = 10, SIGNALS = 200 };

static volatile bool finish;
static volatile char *volatile closed; /* a page that nobody may read */

/* What is alive is large enough for marks to take most of the time. */
static void *lose(void *unused) {
    void *live[2000];
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        live[i] = memset(malloc(500), 1, 500);
    while (!finish)
        for (int i = 0; i < 100; i++) {
            void *volatile lost = malloc(200);
            memset(lost, 1, 200);
        }
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        free(live[i]);
    return unused;
}

static pthread_t start_losing(void) {
    pthread_t loser;
    finish = false;
    closed = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_int_eq(pthread_create(&loser, NULL, lose, NULL), 0);
    return loser;
}

static void stop_losing(pthread_t loser) {
    finish = true;
    pthread_join(loser, NULL);
}

static void read_closed(void) { (void)*closed; }
static volatile char *volatile nothing;

static void read_nothing(void) { (void)*nothing; }
static void send_fault(void) { kill(getpid(), SIGSEGV); }
static void send_to_thread(void) { pthread_kill(pthread_self(), SIGBUS); }
static void read_heap(void) {
    char *block = aligned_alloc(4096, 1 << 20);
    syscall_raw(SYS_mprotect, (long)block, 4096, PROT_NONE, 0, 0, 0);
    (void)*(volatile char *)block;
}

static const struct {
    void (*fault)(void);
    int number;
} faults[] = {{read_closed, SIGSEGV},
              {read_nothing, SIGSEGV},
              {send_fault, SIGSEGV},
              {send_to_thread, SIGBUS},
              {read_heap, SIGSEGV}};

/* By the signal that kills, at different moments of a mark. */
START_TEST(a_fault_of_the_programs_own_kills_it) {
    for (int child = 0; child < CHILDREN; child++) {
        pid_t process = fork();
        if (process == 0) {
            setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
            signal(faults[_i].number, SIG_DFL); /* libcheck has a handler for SIGSEGV */
            start_losing();
            usleep(20000 + child * 333);
            faults[_i].fault();
            usleep(1000000);
            _exit(0);
        }
        int status;
        ck_assert_int_eq(waitpid(process, &status, 0), process);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), faults[_i].number);
    }
}
END_TEST

/* One that somebody sends goes to the thread that waits for it, not to a marker. */
START_TEST(a_sent_signal_is_waited_for) {
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigaddset(&set, SIGBUS);
    signal(SIGSEGV, SIG_DFL);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    pthread_t loser = start_losing();
    for (int i = 0; i < SIGNALS; i++) {
        int number = i % 2 ? SIGSEGV : SIGBUS;
        usleep(100);
        ck_assert_int_eq(sigqueue(getpid(), number, (union sigval){.sival_int = i}), 0);
        usleep(100);
        ck_assert_int_eq(sigtimedwait(&set, &info, &(struct timespec){10, 0}), number);
        ck_assert_int_eq(info.si_value.sival_int, i);
    }
    stop_losing(loser);
}
END_TEST

START_TEST(the_program_is_told_that_it_has_no_handler) {
    signal(SIGSEGV, SIG_DFL);
    pthread_t loser = start_losing();
    for (int i = 0; i < 20000; i++) {
        struct sigaction now;
        REQUIRE(sigaction(i % 2 ? SIGSEGV : SIGBUS, NULL, &now) == 0);
        REQUIRE(now.sa_handler == SIG_DFL);
    }
    stop_losing(loser);
}
END_TEST

static sigjmp_buf back;
static void *volatile fault_address;

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    fault_address = info->si_addr;
    siglongjmp(back, 1);
}

/* It comes and goes, at any moment of a mark. */
START_TEST(a_handler_of_the_programs_has_its_faults) {
    struct sigaction mine = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER}, old;
    signal(SIGSEGV, SIG_DFL);
    pthread_t loser = start_losing();
    for (volatile int i = 0; i < 3000; i++) {
        REQUIRE(sigaction(SIGSEGV, &mine, &old) == 0 && old.sa_handler == SIG_DFL);
        fault_address = NULL;
        if (sigsetjmp(back, 1) == 0)
            read_closed();
        REQUIRE(fault_address == closed);
        REQUIRE(sigaction(SIGSEGV, &old, NULL) == 0);
    }
    stop_losing(loser);
}
END_TEST

static int run_all(void) {
    const TTest *const tests[] = {
        a_sent_signal_is_waited_for,
        the_program_is_told_that_it_has_no_handler,
        a_handler_of_the_programs_has_its_faults,
    };
    const struct looped loops[] = {
        {a_fault_of_the_programs_own_kills_it, sizeof faults / sizeof *faults},
    };
    return SUITE_RUN_LOOPS("recovery", tests, loops, 60);
}

/* The options are read when the program is loaded. */
int main(int count, char **arguments) {
    (void)count;
    if (getenv("RECOVERY_AGAIN"))
        return run_all();
    setenv("TITHE_OPTIONS", "gc_every=64K", 1);
    setenv("RECOVERY_AGAIN", "1", 1);
    execv("/proc/self/exe", arguments);
    return 1;
}
