/* Sections: what of ours no signal handler of the program's may interrupt.
 *
 * A handler may allocate, free, fork, leave by longjmp or end the process, and may have interrupted
 * a function that allows all that, as write or fork. Where it would find a lock of ours held by its
 * own thread, it would wait for ever. So whoever holds a lock is in a section (os/park.h): entering
 * and leaving one is counting, and the entries of the program's handlers put a signal off that
 * comes in between: it waits in the kernel until the outermost section is left
 * (os/handler_entry.h). Blocking all signals instead takes two system calls, 280 ns on the machine
 * where a block of 40 KB is taken and freed in 190 ns (30 November 2026). That is done where there
 * are no such entries, and where the program has forbidden itself the system calls that they make.
 * Signals that tell of a fault of the thread's own are not put off, and neither is our stop signal.
 *
 * A section ends where it began: no code of the program's runs in it, and nobody waits in it for
 * what another thread does outside of a section. Nor is anything there that needs no section: the
 * stacks of ours on which all signals are blocked count the same and have no signal to put off. In
 * libgc.so.1 by itself, which has nothing to do with the program's handlers, sections only count.
 *
 * A thread must have libc's thread-local memory to enter one: section_is_possible tells where that
 * is in doubt, which is in the stop handler.
 */
#ifndef TITHE_OS_SECTION_H
#define TITHE_OS_SECTION_H

#include "os/syscall.h"

#include <stdbool.h>
#include <stdint.h>

/* The count is read by the entries of handlers (os/handler_entries.S). The thread writes all of it;
 * its handlers write closed and before while the count is not 0. The first word is written whole
 * when the outermost section is entered: a handler that comes just before has had sections of its
 * own, perhaps on another stack. Small, because there is little static thread-local memory for all
 * libraries together. */
struct section {
    union {
        volatile uint64_t word;
        struct {
            volatile uint16_t depth;
            volatile bool closed;    /* all signals but those let in are blocked until the end */
            volatile uint32_t piece; /* of the stack, where that was; see section_piece */
        };
    };
    uint64_t before; /* the mask that the thread is to have again; with closed */
};

extern __thread struct section section_self
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The entries of handlers put signals off; or they are blocked in sections, because nobody does. */
extern volatile bool section_puts_off __attribute__((visibility("hidden")));
extern volatile bool section_blocks;

/* The program's handlers are ours to install from now on. In its first thread. */
void section_start(void);

/* In a thread that began with a copy of another one's thread-local memory. */
void section_begin(void);

/* Blocks signals in sections that are entered from now on. */
void section_block_from_now_on(void);

/* Never put off, nor blocked in a section: the stop signal, once it is known. */
void section_let_in(int number);

/* Whether the calling thread has thread-local memory of libc's. Async-signal-safe. */
bool section_is_possible(void);

/* In a handler that interrupted the thread where its stack stood there: whether that was in a
 * section. A thread made by a bare clone may share another one's thread-local memory. */
bool section_is_interrupted(uintptr_t stack_pointer);

/* In such a handler, with all signals blocked: the thread is to go on with this mask, and has the
 * one that it had when the section ends. */
uint64_t section_close(uint64_t before);

/* The process is about to end: its handlers run as if no section were entered. */
void section_abandon(void);

void section_block(void);
void section_open(void);

static inline uintptr_t section_stack_pointer(void) {
    uintptr_t here;
#if defined(__x86_64__)
    __asm__("movq %%rsp, %0" : "=r"(here));
#elif defined(__aarch64__)
    __asm__("mov %0, sp" : "=r"(here));
#endif
    return here;
}

static inline uint32_t section_piece(uintptr_t stack_pointer) {
    enum { PIECE_SHIFT = 16 };
    return (uint32_t)(stack_pointer >> PIECE_SHIFT);
}

static inline void section_enter(void) {
    struct section *section = &section_self;
    if (section->depth == 0) {
        if (__builtin_expect(section_blocks, 0))
            section_block();
        struct section entered = {.depth = 1, .closed = section->closed};
        entered.piece = section_piece(section_stack_pointer());
        section->word = entered.word;
    } else {
        section->depth++;
    }
    __asm__ volatile("" : : : "memory");
}

/* A signal that comes before the count is 0 is put off, and then seen here. */
static inline void section_leave(void) {
    __asm__ volatile("" : : : "memory");
    struct section *section = &section_self;
    if (--section->depth == 0 && __builtin_expect(section->closed, 0))
        section_open();
}

#endif
