/* tithe.h: what a program may ask of tithe when it runs under it.
 *
 * A program need not link to anything: declare these weak (as this header does) and test the
 * pointer, so that the same binary runs without tithe, too.
 */
#ifndef TITHE_H
#define TITHE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TITHE_BUILDING
#define TITHE_WEAK __attribute__((weak))
#else
#define TITHE_WEAK __attribute__((visibility("default")))
#endif

/* Runs one whole collection: it starts after the call and is swept when this returns. Returns 1, or
 * 0 when no collection was possible. Any thread; not from a signal handler. */
int tithe_collect(void) TITHE_WEAK;

/* Under `tithe leaks`: checks for leaks now. Returns how many blocks are lost, those not counted
 * that earlier checks have collected; -1 when leaks are not hunted, or no check was possible. Any
 * thread; not from a signal handler. */
long tithe_check_leaks(void) TITHE_WEAK;

/* Under `tithe leaks`: a block, given by any address in it, and what it leads to is not to be told
 * as lost. Returns 1, or 0 if the address is in no block that could be. Any thread. */
int tithe_ignore_leak(const void *address) TITHE_WEAK;

/* Sizes in bytes, times in nanoseconds, since the program's start unless said otherwise. */
struct tithe_statistics {
    size_t live;      /* allocated and not yet freed or found dead, now */
    size_t live_most; /* the most that ever was */
    size_t allocated; /* handed out */
    size_t freed;     /* freed by the program */
    size_t collected; /* found unreachable and taken back */
    size_t cycles;    /* collections that ended */
    size_t
        cancelled; /* collections given up, because a thread did not stop or roots were unknown */
    size_t stop_longest;   /* the longest time the program was stopped */
    size_t stop_total;     /* the sum of these times */
    size_t trial_dead;     /* in a trial (tithe run --trial): what would have been collected */
    size_t trial_returned; /* blocks of these that came back: each would have been a mistake */
};

/* Fills in the first bytes of *statistics, so that older callers keep working; returns how many
 * were filled in. Any thread; the figures are from slightly different moments. */
size_t tithe_get_statistics(struct tithe_statistics *statistics, size_t bytes) TITHE_WEAK;

#ifdef __cplusplus
}
#endif

#endif
