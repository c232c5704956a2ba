/* The shim, from a program's point of view: the semantics of the malloc family, and that nothing of
 * the collector shows: no signal, no mask, no signal stack, no EINTR, no harm to fork or to what
 * runs before main and after exit. Run under tithe.
 */
#include "suite.h"

#include "tithe.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
extern void *__libc_malloc(size_t bytes);
extern void __libc_free(void *object);

/* Keeps the compiler from knowing what an allocation function returned or was given. */
static size_t opaque(size_t value) {
    __asm__ volatile("" : "+r"(value));
    return value;
}

START_TEST(sizes_and_errors_are_those_of_glibc) {
    void *empty = malloc(opaque(0)), *other = malloc(opaque(0));
    ck_assert(empty && other && empty != other);
    ck_assert_ptr_null(realloc(empty, opaque(0)));
    free(other);
    void *fresh = realloc(NULL, 10);
    ck_assert_uint_ge(malloc_usable_size(fresh), 10);
    free(fresh);
    ck_assert_uint_eq(malloc_usable_size(NULL), 0);
    errno = 0;
    ck_assert_ptr_null(calloc(opaque(SIZE_MAX / 2), 3));
    ck_assert_int_eq(errno, ENOMEM);
    errno = 0;
    ck_assert_ptr_null(reallocarray(NULL, opaque(SIZE_MAX / 2), 3));
    ck_assert_int_eq(errno, ENOMEM);
    errno = 0;
    ck_assert_ptr_null(malloc(opaque(PTRDIFF_MAX) + 1));
    ck_assert_int_eq(errno, ENOMEM);
    errno = EBADF;
    free(malloc(100));
    free(malloc(1 << 20));
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(alignments_are_those_of_glibc) {
    void *object = NULL;
    ck_assert_int_eq(posix_memalign(&object, opaque(3), 10), EINVAL);
    ck_assert_int_eq(posix_memalign(&object, opaque(4), 10), EINVAL);
    ck_assert_int_eq(posix_memalign(&object, 64, opaque(SIZE_MAX / 2)), ENOMEM);
    ck_assert_ptr_null(object);
    for (size_t alignment = 8; alignment <= 1 << 22; alignment *= 2) {
        ck_assert_int_eq(posix_memalign(&object, alignment, 100), 0);
        ck_assert_uint_eq((uintptr_t)object % alignment, 0);
        memset(object, 1, 100);
        free(object);
        object = aligned_alloc(alignment, alignment);
        ck_assert_uint_eq((uintptr_t)object % alignment, 0);
        free(object);
    }
    ck_assert_uint_eq((uintptr_t)memalign(opaque(48), 10) % 64, 0);
    ck_assert_uint_eq((uintptr_t)valloc(10) % 4096, 0);
    object = pvalloc(10);
    ck_assert_uint_eq((uintptr_t)object % 4096, 0);
    ck_assert_uint_ge(malloc_usable_size(object), 4096);
    object = __libc_malloc(100);
    ck_assert_uint_ge(malloc_usable_size(object), 100);
    __libc_free(object);
    /* glibc no longer lets programs link to cfree; old ones find it all the same. */
    void (*old_free)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "cfree");
    ck_assert_ptr_nonnull(old_free);
    old_free(malloc(10));
}
END_TEST

START_TEST(introspection_tells_the_truth) {
    struct mallinfo2 before = mallinfo2();
    void *volatile object = malloc(10 << 20);
    struct mallinfo2 after = mallinfo2();
    ck_assert_uint_ge(after.uordblks - before.uordblks, 10 << 20);
    ck_assert_uint_le(after.uordblks - before.uordblks, (10 << 20) + 8192);
    ck_assert_uint_ge(after.arena, after.uordblks);
    memset(object, 1, 10 << 20);
    free(object);
    ck_assert_int_eq(malloc_trim(0), 1);
    ck_assert_int_eq(mallopt(M_MMAP_THRESHOLD, 1), 1);
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    ck_assert_int_eq(malloc_info(0, stream), 0);
    ck_assert_int_eq(malloc_info(1, stream), EINVAL);
    fclose(stream);
    ck_assert_ptr_nonnull(strstr(text, "<malloc version=\"1\">"));
    struct tithe_statistics statistics;
    ck_assert_uint_eq(tithe_get_statistics(&statistics, sizeof statistics), sizeof statistics);
    ck_assert_uint_gt(statistics.allocated, 10 << 20);
    ck_assert_uint_eq(tithe_get_statistics(&statistics, 8), 8);
}
END_TEST

START_TEST(blocks_of_others_are_left_alone) {
    char *foreign = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(foreign, "foreign");
    free((void *)opaque((uintptr_t)foreign));
    ck_assert_str_eq(foreign, "foreign");
    char *copy = realloc((void *)opaque((uintptr_t)foreign), 100);
    ck_assert_str_eq(copy, "foreign");
    ck_assert_uint_eq(malloc_usable_size(foreign), 0);
}
END_TEST

/* The highest real-time signal but one that nobody uses is the collector's. */
static int stop_signal(void) { return SIGRTMAX - 1; }

static volatile sig_atomic_t handled;
static void handle(int number) { handled += number; }

START_TEST(the_stop_signal_does_not_show) {
    struct sigaction action;
    sigset_t all, seen;
    ck_assert(tithe_collect());
    ck_assert_int_eq(sigaction(stop_signal(), NULL, &action), 0);
    ck_assert(action.sa_handler == SIG_DFL);
    sigfillset(&all);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &seen), 0);
    ck_assert(sigismember(&seen, stop_signal()) && sigismember(&seen, SIGTERM));
    ck_assert_int_eq(sigprocmask(SIG_UNBLOCK, &all, &seen), 0);
    ck_assert(sigismember(&seen, stop_signal()));
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &seen), 0);
    ck_assert(!sigismember(&seen, stop_signal()));
    int fd = signalfd(-1, &all, SFD_NONBLOCK);
    ck_assert_int_ge(fd, 0);
    ck_assert(tithe_collect());
}
END_TEST

START_TEST(the_program_may_use_that_signal_too) {
    ck_assert(tithe_collect());
    ck_assert(signal(stop_signal(), handle) == SIG_DFL);
    struct sigaction action;
    sigaction(stop_signal(), NULL, &action);
    ck_assert(action.sa_handler == handle);
    handled = 0;
    raise(stop_signal());
    ck_assert_int_eq(handled, stop_signal());
    ck_assert(tithe_collect());
    ck_assert_int_eq(handled, stop_signal());
    ck_assert(signal(stop_signal(), SIG_DFL) == handle);
}
END_TEST

START_TEST(a_signal_taken_early_is_not_ours) {
    ck_assert(signal(stop_signal(), handle) == SIG_DFL);
    handled = 0;
    raise(stop_signal());
    ck_assert_int_eq(handled, stop_signal());
    ck_assert(tithe_collect());
    raise(stop_signal());
    ck_assert_int_eq(handled, 2 * stop_signal());
}
END_TEST

static volatile uintptr_t handler_frame;
static void note_frame(int number) {
    (void)number;
    handler_frame = (uintptr_t)__builtin_frame_address(0);
}

/* Lets this thread come near a collection, so that it gets the collector's signal stack. */
static void churn(size_t bytes) {
    for (size_t i = 0; i < bytes; i += 1024)
        free(malloc(1024));
    void *volatile lost;
    for (size_t i = 0; i < 64 << 20; i += 4096)
        lost = malloc(4096);
    (void)lost;
}

START_TEST(signal_stacks_are_the_programs) {
    stack_t seen, own = {.ss_sp = malloc(65536), .ss_size = 65536};
    struct sigaction action = {.sa_handler = note_frame, .sa_flags = SA_ONSTACK};
    churn(1 << 20);
    ck_assert_int_eq(sigaltstack(NULL, &seen), 0);
    ck_assert_int_eq(seen.ss_flags, SS_DISABLE);
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    raise(SIGUSR1);
    ck_assert_uint_ne(handler_frame, 0);
    ck_assert_int_eq(sigaction(SIGUSR1, NULL, &action), 0);
    ck_assert(action.sa_flags & SA_ONSTACK);
    ck_assert_int_eq(sigaltstack(&own, &seen), 0);
    ck_assert_int_eq(seen.ss_flags, SS_DISABLE);
    raise(SIGUSR1);
    ck_assert_uint_lt(handler_frame - (uintptr_t)own.ss_sp, own.ss_size);
    ck_assert(tithe_collect());
    ck_assert_int_eq(sigaltstack(NULL, &seen), 0);
    ck_assert(seen.ss_sp == own.ss_sp && seen.ss_size == own.ss_size && seen.ss_flags == 0);
    own.ss_flags = SS_DISABLE;
    ck_assert_int_eq(sigaltstack(&own, &seen), 0);
    ck_assert_int_eq(seen.ss_flags, 0);
    churn(1 << 20);
    ck_assert_int_eq(sigaltstack(NULL, &seen), 0);
    ck_assert_int_eq(seen.ss_flags, SS_DISABLE);
}
END_TEST

/* Another thread collects all the time while this one is blocked. */
static volatile bool finish;
static void *collect_always(void *argument) {
    while (!finish) {
        ck_assert(tithe_collect());
        usleep(500);
    }
    return argument;
}

/* As small as programs make them: Rust's are, with a guard beneath. */
static void *work_on_small_signal_stack(void *argument) {
    enum { GUARD = 65536 };
    size_t bytes = (getauxval(AT_MINSIGSTKSZ) + 2048 + 15) & ~(size_t)15;
    char *map = mmap(NULL, 2 * GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_sp = map + GUARD, .ss_size = bytes};
    ck_assert_int_eq(mprotect(map, GUARD, PROT_NONE), 0);
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    for (int i = 0; i < 3000000; i++) {
        void *volatile object = malloc(i % 2000);
        free(object);
    }
    return argument;
}

START_TEST(signal_stacks_may_be_small) {
    pthread_t worker, collector;
    ck_assert_int_eq(pthread_create(&collector, NULL, collect_always, NULL), 0);
    ck_assert_int_eq(pthread_create(&worker, NULL, work_on_small_signal_stack, NULL), 0);
    pthread_join(worker, NULL);
    finish = true;
    pthread_join(collector, NULL);
}
END_TEST

enum { REUSED = 64 };

/* Takes what was freed again, and sees whether it stays as it was filled. */
static bool is_left_alone(size_t bytes) {
    unsigned char *blocks[REUSED];
    bool whole = true;
    for (int i = 0; i < REUSED; i++)
        blocks[i] = memset(malloc(bytes), i + 1, bytes);
    usleep(20000);
    for (int i = 0; i < REUSED; i++) {
        for (size_t at = 0; at < bytes; at++)
            whole &= blocks[i][at] == i + 1;
        free(blocks[i]);
    }
    return whole;
}

/* Ruby does that at the end of each thread. */
static void *free_signal_stack(void *argument) {
    size_t bytes = *(size_t *)argument;
    stack_t seen, stack = {.ss_sp = malloc(bytes), .ss_size = bytes};
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    usleep(5000);
    free(stack.ss_sp);
    ck_assert(is_left_alone(bytes));
    ck_assert_int_eq(sigaltstack(NULL, &seen), 0);
    return argument;
}

static void *unmap_signal_stack(void *argument) {
    stack_t stack = {.ss_size = 65536};
    stack.ss_sp =
        mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    ck_assert_int_eq(munmap(stack.ss_sp, stack.ss_size), 0);
    usleep(20000);
    return argument;
}

static void *volatile lent_stack;
static void *use_signal_stack(void *argument) {
    size_t bytes = *(size_t *)argument;
    stack_t stack = {.ss_sp = malloc(bytes), .ss_size = bytes};
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    lent_stack = stack.ss_sp;
    while (lent_stack)
        usleep(1000);
    return argument;
}

START_TEST(signal_stacks_may_be_given_back_too_early) {
    static size_t sizes[] = {8192, 20000, 65536};
    pthread_t collector, thread;
    ck_assert_int_eq(pthread_create(&collector, NULL, collect_always, NULL), 0);
    for (size_t i = 0; i < 3 * sizeof sizes / sizeof *sizes; i++) {
        size_t *bytes = &sizes[i % 3];
        ck_assert_int_eq(pthread_create(&thread, NULL, free_signal_stack, bytes), 0);
        pthread_join(thread, NULL);
        ck_assert_int_eq(pthread_create(&thread, NULL, use_signal_stack, bytes), 0);
        while (lent_stack == NULL)
            usleep(1000);
        free(lent_stack);
        ck_assert(is_left_alone(*bytes));
        lent_stack = NULL;
        pthread_join(thread, NULL);
        ck_assert_int_eq(pthread_create(&thread, NULL, unmap_signal_stack, NULL), 0);
        pthread_join(thread, NULL);
    }
    finish = true;
    pthread_join(collector, NULL);
}
END_TEST

/* A thread that waits in vfork cannot be stopped, which cancels the collection. */
static void *try_to_collect_always(void *argument) {
    while (!finish) {
        tithe_collect();
        usleep(500);
    }
    return argument;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

enum { BLOCK_MILLISECONDS = 150 };

static struct timespec deadline(clockid_t clock) {
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_nsec += BLOCK_MILLISECONDS * 1000000l;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static const struct timespec block_time = {0, BLOCK_MILLISECONDS * 1000000l};
static int pipe_ends[2];

static int block_poll(void) {
    struct pollfd entry = {.fd = pipe_ends[0], .events = POLLIN};
    return poll(&entry, 1, BLOCK_MILLISECONDS);
}
static int block_ppoll(void) {
    struct pollfd entry = {.fd = pipe_ends[0], .events = POLLIN};
    sigset_t all;
    sigfillset(&all);
    return ppoll(&entry, 1, &block_time, &all);
}
static int block_select(void) {
    fd_set set;
    struct timeval wait = {0, BLOCK_MILLISECONDS * 1000};
    FD_ZERO(&set);
    FD_SET(pipe_ends[0], &set);
    return select(pipe_ends[0] + 1, &set, NULL, NULL, &wait);
}
static int block_pselect(void) { return pselect(0, NULL, NULL, NULL, &block_time, NULL); }
static int block_epoll(void) {
    struct epoll_event event = {.events = EPOLLIN}, found;
    int epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_ends[0], &event);
    int result = epoll_wait(epoll, &found, 1, BLOCK_MILLISECONDS);
    close(epoll);
    return result;
}
static int block_nanosleep(void) { return nanosleep(&block_time, NULL); }
static int block_clock_nanosleep(void) {
    struct timespec at = deadline(CLOCK_MONOTONIC);
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}
static int block_usleep(void) { return usleep(BLOCK_MILLISECONDS * 1000); }
static int block_sem(void) {
    sem_t semaphore;
    struct timespec at = deadline(CLOCK_REALTIME);
    sem_init(&semaphore, 0, 0);
    int result = sem_timedwait(&semaphore, &at);
    return result == -1 && errno == ETIMEDOUT ? 0 : -1;
}
static int block_sigtimedwait(void) {
    sigset_t all;
    sigfillset(&all);
    int result = sigtimedwait(&all, NULL, &block_time);
    return result == -1 && errno == EAGAIN ? 0 : -1;
}

static int (*const blocking_calls[])(void) = {
    block_poll,      block_ppoll,           block_select, block_pselect, block_epoll,
    block_nanosleep, block_clock_nanosleep, block_usleep, block_sem,     block_sigtimedwait,
};

START_TEST(collections_do_not_break_blocking_calls) {
    pthread_t collector;
    ck_assert_int_eq(pipe(pipe_ends), 0);
    ck_assert_int_eq(pthread_create(&collector, NULL, collect_always, NULL), 0);
    for (size_t i = 0; i < sizeof blocking_calls / sizeof *blocking_calls; i++) {
        double start = seconds_now();
        int result = blocking_calls[i]();
        double elapsed = seconds_now() - start;
        ck_assert_msg(result == 0, "call %zu: %d, %s", i, result, strerror(errno));
        ck_assert_msg(elapsed > 0.145 && elapsed < 1, "call %zu took %f s", i, elapsed);
    }
    finish = true;
    pthread_join(collector, NULL);
}
END_TEST

/* Short timers against collections back to back: some signals come while the stop handler is about
 * to return, and some stops while the program's handler is. */
START_TEST(the_programs_own_signals_still_break_them) {
    pthread_t collector;
    struct sigaction action = {.sa_handler = handle};
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
    ck_assert_int_eq(pthread_create(&collector, NULL, collect_always, NULL), 0);
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    for (int i = 0; i < 10000; i++) {
        struct itimerval timer = {.it_value = {0, 50 + i % 400}};
        struct timespec wait = {10, 0};
        sigset_t none;
        handled = 0;
        setitimer(ITIMER_REAL, &timer, NULL);
        sigemptyset(&none);
        ck_assert_int_eq(ppoll(NULL, 0, &wait, &none), -1);
        ck_assert_int_eq(errno, EINTR);
        ck_assert_int_eq(handled, SIGALRM);
    }
    finish = true;
    pthread_join(collector, NULL);
}
END_TEST

static void *unwound[32];
static volatile int unwound_depth;
static void unwind(int number) {
    handled = number;
    unwound_depth = backtrace(unwound, sizeof unwound / sizeof *unwound);
}

static bool is_in(const void *address, const char *function) {
    return (uintptr_t)address - (uintptr_t)dlsym(RTLD_DEFAULT, function) < 200;
}

START_TEST(handlers_can_be_unwound) {
    bool found = false;
    ck_assert(signal(SIGUSR1, unwind) == SIG_DFL);
    raise(SIGUSR1);
    ck_assert_int_eq(handled, SIGUSR1);
    for (int i = 0; i < unwound_depth; i++)
        found |= is_in(unwound[i], "raise");
    ck_assert_msg(found, "%d frames, none of them raise", unwound_depth);
}
END_TEST

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
START_TEST(signal_and_siginterrupt_are_those_of_glibc) {
    struct sigaction action;
    ck_assert(signal(SIGUSR1, handle) == SIG_DFL);
    ck_assert_int_eq(sigaction(SIGUSR1, NULL, &action), 0);
    ck_assert(action.sa_flags & SA_RESTART && sigismember(&action.sa_mask, SIGUSR1));
    ck_assert_int_eq(siginterrupt(SIGUSR1, 1), 0);
    ck_assert(signal(SIGUSR1, handle) == handle);
    ck_assert_int_eq(sigaction(SIGUSR1, NULL, &action), 0);
    ck_assert(!(action.sa_flags & SA_RESTART) && action.sa_handler == handle);
    ck_assert_int_eq(siginterrupt(SIGUSR1, 0), 0);
    ck_assert_int_eq(sigaction(SIGUSR1, NULL, &action), 0);
    ck_assert(action.sa_flags & SA_RESTART);
    errno = 0;
    ck_assert(signal(SIGKILL, handle) == SIG_ERR && errno == EINVAL);
    ck_assert(signal(0, handle) == SIG_ERR && signal(_NSIG, handle) == SIG_ERR);
}
END_TEST
#pragma GCC diagnostic pop

/* Before main: a constructor, and what it allocated is still there. */
static char *made_early;
__attribute__((constructor(102))) static void early(void) { made_early = strdup("made early"); }

START_TEST(memory_from_before_main_is_whole) {
    churn(0);
    ck_assert(tithe_collect());
    ck_assert_str_eq(made_early, "made early");
}
END_TEST

/* After main: an exit handler allocates, collects and frees what main allocated. */
static void *made_in_main;
static void at_exit(void) {
    void *late = malloc(1000);
    free(made_in_main);
    if (!tithe_collect() || late == NULL)
        _exit(1);
    free(late);
    _exit(42);
}

START_TEST(exit_handlers_have_a_heap) {
    int status;
    if (fork() == 0) {
        made_in_main = malloc(100000);
        atexit(at_exit);
        exit(0);
    }
    wait(&status);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}
END_TEST

/* A destructor of thread-specific data allocates, frees, and sets itself up again. */
static pthread_key_t busy_key;
static volatile int destroyed;
static void destroy_busily(void *object) {
    free(object);
    if (++destroyed % PTHREAD_DESTRUCTOR_ITERATIONS != 0)
        pthread_setspecific(busy_key, calloc(1, 500));
    free(malloc(50));
}
static void *live_shortly(void *argument) {
    pthread_setspecific(busy_key, malloc(100));
    for (int i = 0; i < 100; i++)
        free(malloc(i));
    return argument;
}

START_TEST(threads_end_cleanly) {
    ck_assert_int_eq(pthread_key_create(&busy_key, destroy_busily), 0);
    size_t most = 0;
    for (int i = 0; i < 2000; i++) {
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, live_shortly, NULL), 0);
        pthread_join(thread, NULL);
        if (i == 100)
            most = mallinfo2().uordblks;
    }
    ck_assert_int_eq(destroyed, 2000 * PTHREAD_DESTRUCTOR_ITERATIONS);
    ck_assert_uint_le(mallinfo2().uordblks, most + 100000);
}
END_TEST

static void *allocate_always(void *argument) {
    void *volatile kept = NULL;
    while (!finish) {
        void *object = malloc(100);
        if (handled++ % 8 == 0)
            kept = object;
        else
            free(object);
    }
    return kept == argument ? NULL : argument;
}

static int child_status(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Children of every kind, while other threads allocate and one collects. */
START_TEST(children_are_whole) {
    pthread_t threads[3];
    char *arguments[] = {"/bin/true", NULL};
    pthread_create(&threads[0], NULL, try_to_collect_always, NULL);
    pthread_create(&threads[1], NULL, allocate_always, NULL);
    pthread_create(&threads[2], NULL, allocate_always, NULL);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0) {
            churn(1 << 20);
            _exit(tithe_collect() ? 42 : 1);
        }
        ck_assert_int_eq(child_status(child), 42);
        child = vfork();
        if (child == 0) {
            execv(arguments[0], arguments);
            _exit(127);
        }
        ck_assert_int_eq(child_status(child), 0);
        ck_assert_int_eq(posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ), 0);
        ck_assert_int_eq(child_status(child), 0);
        ck_assert_int_eq(system("true"), 0);
    }
    finish = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

/* A stop signal that is under way to a thread when it becomes another program would kill that. */
START_TEST(what_is_executed_is_not_killed_by_a_stop) {
    char *arguments[] = {"/bin/true", NULL};
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        if (child == 0) {
            pthread_t thread;
            pthread_create(&thread, NULL, try_to_collect_always, NULL);
            usleep(i * 37 % 3000);
            if (i % 3 == 0)
                execl("/bin/true", "true", "an", "argument", NULL);
            else if (i % 3 == 1)
                execvp("true", arguments);
            execve(arguments[0], arguments, environ);
            _exit(1);
        }
        ck_assert_int_eq(child_status(child), 0);
    }
}
END_TEST

START_TEST(a_failed_exec_changes_nothing) {
    char *arguments[] = {"nothing", "of the kind", NULL};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(execve("/nowhere/nothing", arguments, environ), -1);
        ck_assert_int_eq(errno, ENOENT);
        ck_assert_int_eq(execlp("no-such-program-anywhere", "a", "b", NULL), -1);
        ck_assert_int_eq(errno, ENOENT);
        ck_assert(tithe_collect());
    }
}
END_TEST

__attribute__((noinline)) static uintptr_t hidden_block(void) {
    int *block = malloc(3000);
    *block = 4711;
    return (uintptr_t)block;
}

static void *drain_pipe(void *context) {
    static char buffer[4096];
    int fd = *(int *)context;
    ssize_t got;
    usleep(20000);
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        if (got > 3000)
            usleep(20);
    return NULL;
}

/* A write to a full pipe waits for its reader, and is whole when nobody but us interrupts it. */
START_TEST(blocking_transfers_are_whole) {
    enum { BYTES = 1 << 20 };
    static char bytes[BYTES];
    pthread_t reader, collecting;
    pthread_create(&collecting, NULL, try_to_collect_always, NULL);
    for (int i = 0; i < 20; i++) {
        int ends[2];
        struct iovec parts[2] = {{bytes, 1000}, {bytes, BYTES - 1000}};
        ck_assert_int_eq(i % 2 ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        pthread_create(&reader, NULL, drain_pipe, &ends[0]);
        if (i % 4 == 0)
            ck_assert_int_eq(send(ends[1], bytes, BYTES, 0), BYTES);
        else if (i % 3)
            ck_assert_int_eq(write(ends[1], bytes, BYTES), BYTES);
        else
            ck_assert_int_eq(writev(ends[1], parts, 2), BYTES);
        close(ends[1]);
        pthread_join(reader, NULL);
        close(ends[0]);
    }
    finish = true;
    pthread_join(collecting, NULL);
}
END_TEST

START_TEST(invalid_waits_are_refused_as_ever) {
    struct timespec wrong = {0, 2000000000};
    sigset_t none;
    sigemptyset(&none);
    ck_assert(nanosleep(&wrong, NULL) == -1 && errno == EINVAL);
    ck_assert_int_eq(clock_nanosleep(CLOCK_MONOTONIC, 0, &wrong, NULL), EINVAL);
    ck_assert(ppoll(NULL, 0, &wrong, NULL) == -1 && errno == EINVAL);
    ck_assert(sigtimedwait(&none, NULL, &wrong) == -1 && errno == EINVAL);
}
END_TEST

START_TEST(a_refused_epoll_entry_leaves_the_held_pointer) {
    int epoll = epoll_create1(0), ends[2];
    struct epoll_event event = {.events = EPOLLOUT}, other = {.events = EPOLLOUT};
    ck_assert_int_eq(pipe(ends), 0);
    event.data.u64 = hidden_block();
    uintptr_t hidden = ~(uintptr_t)event.data.u64;
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &event), 0);
    other.data.u64 = 0;
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &other), -1);
    memset(&event, 0, sizeof event);
    ck_assert(tithe_collect());
    churn(1 << 20);
    ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
    ck_assert_uint_eq(event.data.u64, ~hidden);
    ck_assert_uint_ge(malloc_usable_size((void *)event.data.u64), 3000);
    ck_assert_int_eq(*(int *)event.data.u64, 4711);
}
END_TEST

START_TEST(a_program_that_sandboxes_itself_is_left_alone) {
    ck_assert(tithe_collect());
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert(!tithe_collect());
    churn(1 << 20);
    struct tithe_statistics statistics;
    tithe_get_statistics(&statistics, sizeof statistics);
    ck_assert_uint_eq(statistics.cycles, 1);
}
END_TEST

START_TEST(a_limit_on_address_space_leaves_room) {
    struct rlimit limit = {(rlim_t)1 << 30, RLIM_INFINITY};
    pthread_t thread;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    finish = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, live_shortly, NULL), 0);
    pthread_join(thread, NULL);
    void *map = mmap(NULL, 100 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(map, MAP_FAILED);
    ck_assert_ptr_nonnull(malloc(50 << 20));
    ck_assert_ptr_null(malloc((size_t)2 << 30));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        sizes_and_errors_are_those_of_glibc,
        alignments_are_those_of_glibc,
        introspection_tells_the_truth,
        blocks_of_others_are_left_alone,
        the_stop_signal_does_not_show,
        the_program_may_use_that_signal_too,
        a_signal_taken_early_is_not_ours,
        signal_stacks_are_the_programs,
        signal_stacks_may_be_small,
        signal_stacks_may_be_given_back_too_early,
        collections_do_not_break_blocking_calls,
        the_programs_own_signals_still_break_them,
        handlers_can_be_unwound,
        signal_and_siginterrupt_are_those_of_glibc,
        memory_from_before_main_is_whole,
        exit_handlers_have_a_heap,
        threads_end_cleanly,
        children_are_whole,
        what_is_executed_is_not_killed_by_a_stop,
        a_failed_exec_changes_nothing,
        blocking_transfers_are_whole,
        invalid_waits_are_refused_as_ever,
        a_refused_epoll_entry_leaves_the_held_pointer,
        a_program_that_sandboxes_itself_is_left_alone,
        a_limit_on_address_space_leaves_room,
    };
    if (&tithe_collect == NULL) {
        fputs("shim_test: run this under tithe\n", stderr);
        return 1;
    }
    return SUITE_RUN("shim", tests, 60);
}
