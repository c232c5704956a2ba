/* The monotonic clock, and how many processors there are for us. Any thread; no system call where
 * the kernel offers the clock without one. */
#ifndef TITHE_OS_CLOCK_H
#define TITHE_OS_CLOCK_H

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

/* Cheaper, and as coarse as the kernel's tick. */
static inline long long clock_coarse_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

#endif
