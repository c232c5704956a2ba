/* Installing the program's own signal handlers so that their returns are counted.
 *
 * A stop signal may arrive while a handler of the program's is about to return into a system call
 * that it broke, or a signal of the program's while the stop handler does. Either way the stop
 * finds, or leaves, a context that looks as if it alone had broken the call. The count tells: when
 * it changed during the call, a handler of the program's ran in it.
 *
 * Returns are counted by where the stack stood that was interrupted, not in thread-local memory: a
 * handler may return without any, as in threads made by raw clone, and Wine's do. Threads whose
 * stacks share a counter only see an EINTR that was not theirs, and only if a stop comes, too.
 *
 * Handlers of the collector's own, but for that of the stop, have no record of their thread at hand
 * either: they count the calls that they broke beside these returns. That another thread's counts
 * are seen can only hide an EINTR that no handler caused, as after SIGCONT.
 *
 * Only on x86-64, where the program says what a handler returns to; elsewhere nothing is counted: a
 * signal that comes in these instants is handled, but breaks no call, and the others break calls.
 */
#ifndef TITHE_OS_HANDLER_H
#define TITHE_OS_HANDLER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    HANDLER_BROKEN_SHIFT = 32,
    HANDLER_CUT_SHIFT = 48,
    HANDLER_PIECE_SHIFT = 16,
    HANDLER_PIECE_BITS = 10,
    HANDLER_PIECES = 1 << HANDLER_PIECE_BITS,
    HANDLER_DEPTH = 2048
};

/* For stacks in one piece of memory, how many handlers installed below have returned to them in the
 * lower half, and above that, how many calls made from them a handler of ours broke, and how many
 * it cut; any thread adds. */
extern volatile unsigned long handler_counts[HANDLER_PIECES] __attribute__((visibility("hidden")));

/* Stacks lie at multiples of large powers of two from each other. */
static inline volatile unsigned long *handler_count_at(uintptr_t address) {
    uintptr_t piece = address >> HANDLER_PIECE_SHIFT;
    return &handler_counts[(piece ^ piece >> HANDLER_PIECE_BITS) % HANDLER_PIECES];
}

/* For calls made from a frame, which go no deeper than HANDLER_DEPTH. */
static inline unsigned long handler_counts_below(uintptr_t frame) {
    return *handler_count_at(frame) + *handler_count_at(frame - HANDLER_DEPTH);
}

/* What the difference between two such counts tells. */
static inline bool handler_has_returned(unsigned long counts) { return (uint32_t)counts != 0; }
static inline bool handler_has_broken(unsigned long counts) {
    return (uint16_t)(counts >> HANDLER_BROKEN_SHIFT) != 0;
}
static inline bool handler_has_cut(unsigned long counts) {
    return counts >> HANDLER_CUT_SHIFT != 0;
}

/* In a handler of ours, with all signals blocked: what it broke is to go on. */
void handler_hide(const void *context);

/* sigaction(2), errors and errno included. Async-signal-safe. */
int handler_install(int number, const struct sigaction *action, struct sigaction *old);

#endif
