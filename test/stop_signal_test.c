/* The signal that the collector stops threads with, where the program uses its number, too; and
 * what a stopped thread has in registers alone. Runs under tithe. */
#include "suite.h"
#include "tithe.h"

#if defined(__x86_64__)
#include <asm/prctl.h>
#endif
#include <errno.h>
#include <malloc.h>
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
#include <unistd.h>

#define NUMBER (SIGRTMAX - 1)

enum { STACK_BYTES = 65536, MOST_CALLS = 256 };

static siginfo_t seen[MOST_CALLS];
static uintptr_t frames[MOST_CALLS];
static sigset_t masks[MOST_CALLS];
static volatile int calls;

static void note(int number, siginfo_t *information, void *context) {
    int call = __sync_fetch_and_add(&calls, 1);
    REQUIRE(number == NUMBER && context);
    seen[call] = *information;
    frames[call] = (uintptr_t)__builtin_frame_address(0);
    pthread_sigmask(SIG_BLOCK, NULL, &masks[call]);
}

static void collect(void) { ck_assert(tithe_collect()); }

/* From the first collection on the number is the collector's. */
static void handle(int flags) {
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags}, told;
    collect();
    ck_assert_int_eq(sigaction(NUMBER, &action, NULL), 0);
    ck_assert_int_eq(sigaction(NUMBER, NULL, &told), 0);
    ck_assert_ptr_eq(told.sa_sigaction, note);
}

static volatile bool finish;
static void *collect_always(void *argument) {
    while (!finish)
        collect();
    return argument;
}

START_TEST(values_that_the_program_queues_are_the_programs) {
    pthread_t collector;
    handle(0);
    ck_assert_int_eq(pthread_create(&collector, NULL, collect_always, NULL), 0);
    for (int i = 0; i < 200; i++) {
        union sigval value = {.sival_ptr = (void *)(uintptr_t)(i * 4096 + 16)};
        ck_assert_int_eq(sigqueue(getpid(), NUMBER, value), 0);
        while (calls <= i)
            usleep(100);
        ck_assert_int_eq(seen[i].si_code, SI_QUEUE);
        ck_assert_int_eq(seen[i].si_pid, getpid());
        ck_assert_ptr_eq(seen[i].si_value.sival_ptr, value.sival_ptr);
    }
    finish = true;
    pthread_join(collector, NULL);
    ck_assert_int_eq(calls, 200);
}
END_TEST

/* Every address in the collector's own memory may be that of a thread's record. */
START_TEST(also_if_they_are_addresses_of_the_collectors) {
    char line[256];
    uintptr_t from = 0, to = 0, block = (uintptr_t)malloc(64);
    FILE *maps = fopen("/proc/self/maps", "r");
    handle(0);
    while (fgets(line, sizeof line, maps)) {
        uintptr_t start, end;
        char rights[5];
        ck_assert_int_eq(sscanf(line, "%lx-%lx %4s", &start, &end, rights), 3);
        if (end - start < 1 << 18 || rights[0] != 'r' || block - start < end - start)
            continue;
        from = start;
        to = end;
        for (uintptr_t at = from; at < to && at < from + (1 << 16) && calls < MOST_CALLS - 1;
             at += 8192)
            ck_assert_int_eq(sigqueue(getpid(), NUMBER, (union sigval){.sival_ptr = (void *)at}),
                             0);
    }
    fclose(maps);
    ck_assert_uint_ne(from, 0);
    ck_assert_int_gt(calls, 0);
    collect();
}
END_TEST

START_TEST(other_ways_to_send_it_arrive_as_sent) {
    timer_t timer;
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = NUMBER, .sigev_value.sival_int = 77};
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    handle(SA_RESTART);
    ck_assert_int_eq(kill(getpid(), NUMBER), 0);
    ck_assert_int_eq(seen[0].si_code, SI_USER);
    ck_assert_int_eq(raise(NUMBER), 0);
    ck_assert_int_eq(seen[1].si_code, SI_TKILL);
    ck_assert_int_eq(pthread_sigqueue(pthread_self(), NUMBER, (union sigval){.sival_int = 5}), 0);
    ck_assert_int_eq(seen[2].si_value.sival_int, 5);
    ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    ck_assert_int_eq(timer_settime(timer, 0, &soon, NULL), 0);
    while (calls < 4)
        usleep(100);
    ck_assert_int_eq(seen[3].si_code, SI_TIMER);
    ck_assert_int_eq(seen[3].si_value.sival_int, 77);
    ck_assert_int_eq(sigismember(&masks[3], NUMBER), 1);
    ck_assert_int_eq(sigismember(&masks[3], SIGUSR1), 0);
    collect();
}
END_TEST

START_TEST(its_handler_runs_where_it_belongs) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    char *map = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_sp = map, .ss_size = STACK_BYTES};
    handle(SA_ONSTACK);
    raise(NUMBER);
    ck_assert_uint_lt(here - frames[0], 1 << 20);
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    raise(NUMBER);
    ck_assert_uint_lt(frames[1] - (uintptr_t)map, STACK_BYTES);
    handle(0);
    raise(NUMBER);
    ck_assert_uint_lt(here - frames[2], 1 << 20);
    handle(SA_NODEFER);
    raise(NUMBER);
    ck_assert_int_eq(sigismember(&masks[3], NUMBER), 0);
    ck_assert_int_eq(calls, 4);
}
END_TEST

static int status_after(void (*first)(void)) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        first();
        raise(NUMBER);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void ignore(void) { signal(NUMBER, SIG_IGN); }
static void handle_once(void) {
    handle(SA_RESETHAND);
    raise(NUMBER);
}

START_TEST(without_a_handler_it_does_what_it_does) {
    ck_assert_int_eq(status_after(collect), NUMBER);
    ck_assert_int_eq(status_after(ignore), 0);
    ck_assert_int_eq(status_after(handle_once), NUMBER);
}
END_TEST

#if defined(__x86_64__)

enum { BYTES = 224 };

static volatile int go;
static volatile int ready;

/* Fills a block and returns the complement of its address. */
__attribute__((noinline)) static uintptr_t hide(unsigned char fill) {
    void *block = memset(malloc(BYTES), fill, BYTES);
    return ~(uintptr_t)block;
}

__attribute__((noinline)) static void overwrite_stack(void) {
    volatile char below[32768];
    for (size_t i = 0; i < sizeof below; i++)
        below[i] = 0;
}

static bool is_whole(uintptr_t block, unsigned char fill) {
    bool whole = malloc_usable_size((void *)block) >= BYTES;
    for (int i = 0; i < BYTES; i++)
        whole &= ((unsigned char *)block)[i] == fill;
    return whole;
}

/* Spins with the address in one register alone; keep puts it there, and give takes it out. */
#define HOLD(keep, give)                                                                           \
    uintptr_t hidden = hide(0x5a), shown;                                                          \
    overwrite_stack();                                                                             \
    __asm__ volatile("not %1\n" keep "\n xor %1, %1\n lock incl %3\n1: pause\n cmpl $0, %2\n"      \
                     " je 1b\n" give                                                               \
                     : "=&r"(shown), "+r"(hidden), "+m"(go), "+m"(ready)                           \
                     :                                                                             \
                     : "memory", "xmm1", "xmm3", "xmm7", "xmm15");                                 \
    return is_whole(shown, 0x5a) ? argument : NULL

static void *hold_xmm(void *argument) { HOLD("movq %1, %%xmm15", "movq %%xmm15, %0"); }
static void *hold_mmx(void *argument) { HOLD("movq %1, %%mm0", "movq %%mm0, %0\n emms"); }
static void *hold_high_ymm(void *argument) {
    HOLD("movq %1, %%xmm7\n vinserti128 $1, %%xmm7, %%ymm7, %%ymm7\n vpxor %%xmm1, %%xmm1, %%xmm1\n"
         "vinserti128 $0, %%xmm1, %%ymm7, %%ymm7",
         "vextracti128 $1, %%ymm7, %%xmm7\n movq %%xmm7, %0\n vzeroupper");
}
static void *hold_high_zmm(void *argument) {
    HOLD("vmovq %1, %%xmm3\n vpxor %%xmm1, %%xmm1, %%xmm1\n"
         "vinserti32x4 $3, %%xmm3, %%zmm1, %%zmm3",
         "vextracti32x4 $3, %%zmm3, %%xmm3\n vmovq %%xmm3, %0\n vzeroupper");
}
static void *hold_zmm31(void *argument) { HOLD("vmovq %1, %%xmm31", "vmovq %%xmm31, %0"); }
static void *hold_mask(void *argument) { HOLD("kmovq %1, %%k3", "kmovq %%k3, %0"); }
static void *hold_gs(void *argument) {
    uintptr_t block;
    syscall(SYS_arch_prctl, ARCH_SET_GS, ~hide(0x5a));
    overwrite_stack();
    __sync_fetch_and_add(&ready, 1);
    while (!go)
        continue;
    syscall(SYS_arch_prctl, ARCH_GET_GS, &block);
    return is_whole(block, 0x5a) ? argument : NULL;
}

/* What was freed is filled again. */
static void collect_and_reuse(void) {
    for (int i = 0; i < 3; i++) {
        overwrite_stack();
        collect();
        for (int j = 0; j < 4096; j++) {
            void *volatile lost = memset(malloc(BYTES), 0xee, BYTES);
            (void)lost;
        }
    }
}

START_TEST(a_register_keeps_what_it_alone_leads_to) {
    const struct {
        void *(*hold)(void *);
        int is_there;
    } kinds[] = {
        {hold_xmm, 1},
        {hold_mmx, 1},
        {hold_gs, 1},
        {hold_high_ymm, __builtin_cpu_supports("avx2")},
        {hold_high_zmm, __builtin_cpu_supports("avx512f")},
        {hold_zmm31, __builtin_cpu_supports("avx512f")},
        {hold_mask, __builtin_cpu_supports("avx512bw")},
    };
    enum { KINDS = sizeof kinds / sizeof *kinds };
    pthread_t threads[KINDS];
    int started = 0;
    for (int i = 0; i < KINDS; i++)
        if (kinds[i].is_there)
            ck_assert_int_eq(pthread_create(&threads[started++], NULL, kinds[i].hold, (void *)&go),
                             0);
    while (ready < started)
        usleep(100);
    collect_and_reuse();
    go = 1;
    for (int i = 0; i < started; i++) {
        void *kept = NULL;
        pthread_join(threads[i], &kept);
        ck_assert_msg(kept != NULL, "register %d", i);
    }
}
END_TEST

START_TEST(so_do_the_collecting_threads_segments) {
    uintptr_t block;
    ck_assert_int_eq(syscall(SYS_arch_prctl, ARCH_SET_GS, ~hide(0x5a)), 0);
    collect_and_reuse();
    ck_assert_int_eq(syscall(SYS_arch_prctl, ARCH_GET_GS, &block), 0);
    ck_assert(is_whole(block, 0x5a));
}
END_TEST

#endif

int main(void) {
    const TTest *const tests[] = {
        values_that_the_program_queues_are_the_programs,
        also_if_they_are_addresses_of_the_collectors,
        other_ways_to_send_it_arrive_as_sent,
        its_handler_runs_where_it_belongs,
        without_a_handler_it_does_what_it_does,
#if defined(__x86_64__)
        a_register_keeps_what_it_alone_leads_to,
        so_do_the_collecting_threads_segments,
#endif
    };
    return SUITE_RUN("stop signal", tests, 60);
}
