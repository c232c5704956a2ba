/* The clocks, and sleeping by them. Any thread. Where the kernel tells the time without a system
 * call there is none, but for what threads have used. */
#ifndef TITHE_OS_CLOCK_H
#define TITHE_OS_CLOCK_H

#include "os/syscall.h"

#include <time.h>

static inline long long clock_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* What the calling thread has used of its processor. */
static inline long long clock_thread_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* What all threads of the process have used of all processors. */
static inline long long clock_process_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* Sleeps for less than a second, or until a signal's handler has run. */
static inline void clock_nap(long nanoseconds) {
    struct timespec time = {0, nanoseconds};
    system_call(SYS_nanosleep, &time, 0);
}

/* Cheaper, and as coarse as the kernel's tick. */
static inline long long clock_coarse_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

#endif
