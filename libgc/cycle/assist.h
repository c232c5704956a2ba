/* Assists: allocating threads pay for what they allocate while marking runs.
 *
 * A thread's account is in bytes of allocation: credit when positive, debt when negative. A thread
 * in debt first takes from the pool of background credit, then marks, on its alternate stack, while
 * its own stack is frozen and may be scanned, by itself most of all. What it has to tell comes back
 * in thread->param, never over a stack. What it does beyond its debt is credit for later. When it
 * finds nothing to do it parks, still frozen, until somebody pays for it, a short while at a time;
 * a thread that finds the mark ended is forgiven.
 *
 * All of it in the calling thread, which holds no lock of ours.
 */
#ifndef TITHE_CYCLE_ASSIST_H
#define TITHE_CYCLE_ASSIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct marker;
struct thread;

/* Which mark accounts are about, from 1; the conductor sets it before marking begins. */
extern volatile unsigned assist_cycle;

/* Charges the calling thread for so many bytes that it is about to take, and has it pay. True when
 * the thread has found marking complete: the caller then has to see to what follows. */
bool assist_charge(struct thread *thread, size_t bytes);

/* Runs function(thread) on the thread's alternate stack, frozen, all signals blocked. False when
 * the thread has none, or no room on it. */
bool assist_run_frozen(struct thread *thread, void (*function)(struct thread *thread));

/* What counts as in use of the calling thread's stack and registers: all, unless one is given. */
struct assist_live {
    uintptr_t stack_pointer; /* what lies at and above it, and no registers; or 0 */
    const void *interrupted; /* the context of the signal handler that it is in: what that tells */
};

/* The same on the stack that ends at top. */
void assist_run_frozen_on(struct thread *thread, uintptr_t top, struct assist_live live,
                          void (*function)(struct thread *thread));

/* Marks until quota bytes are done or nothing is left to do; the thread is frozen. Returns how much
 * was done. Sets thread->param when it has found marking complete. */
size_t assist_mark(struct thread *thread, size_t quota);

/* What a marker of any thread has counted goes to the heap's counters, before it leaves the phase.
 */
void assist_count_marked(struct marker *marker);

/* Objects, and their bytes, marked since the last reset, which the conductor does at the beginning
 * of a mark. */
size_t assist_marked_objects(void);
size_t assist_marked_bytes(void);
void assist_reset(void);

/* For world_asked_hook: scans the thread's own stack if that is due, and assists if it asked itself
 * to. */
void assist_asked(struct thread *thread);

/* In the frozen thread: scans its own stack if it was asked to. */
void assist_scan_own_stack(struct thread *thread);

#endif
