/* Allocation stacks: the return addresses of the calling thread's frames, by call frame
 * information.
 *
 * What a frame needs (where the caller's frame begins, where the return address and the frame
 * pointer were saved) is looked up once in .eh_frame and kept in a lock-free cache, so that a warm
 * walk costs a few nanoseconds a frame. Code without such information (compiled at run time) is
 * passed by its frame pointer where that leads upwards on the same stack. Never allocates, locks or
 * loads anything; needs glibc 2.35. Any thread, in signal handlers, too.
 */
#ifndef TITHE_SHIM_LEAK_UNWIND_H
#define TITHE_SHIM_LEAK_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNWIND_MOST = 64, UNWIND_WORDS = 64, UNWIND_SAVED = 12 };

/* A frame: the next instruction's address in it, its stack and frame pointers there. */
struct unwind_frame {
    uintptr_t pc, sp, fp;
};

/* A word in memory that the walk has read. */
struct unwind_word {
    uintptr_t at, value;
};

struct unwind_stack {
    size_t count;
    uintptr_t pcs[UNWIND_MOST]; /* innermost first; each lies inside the call */
    uint64_t hash;              /* of them */

    /* As long as these words are the same, a walk from the same address and stack pointer, and the
     * same frame pointer if that was needed, finds the same. */
    bool needs_fp;
    size_t word_count; /* more than UNWIND_WORDS: not all are here */
    struct unwind_word words[UNWIND_WORDS];
};

/* Takes up to most addresses from the frame on outwards. limit: where the stack ends, 0 if not
 * known. */
void unwind_take(struct unwind_frame frame, uintptr_t limit, size_t most,
                 struct unwind_stack *stack);

/* What a frame's own part of the stack and its registers are. */
struct unwind_caller {
    uintptr_t sp;
    uintptr_t saved[UNWIND_SAVED]; /* the registers that calls preserve; unused ones are 0 */
};

/* Walks outwards, past the frame of the function that begins at an address and is so many bytes
 * long, to its caller. False when the function is not among the calling thread's frames. */
bool unwind_to_caller(uintptr_t function, size_t bytes, struct unwind_caller *caller);

/* Forgets all rules: code was unmapped. */
void unwind_forget(void);

#endif
