/* What sections do besides counting; see section.h. */
#include "os/section.h"

#include "os/ranks.h"

#include <signal.h>
#include <stddef.h>
#include <sys/auxv.h>

enum {
    HWCAP2_FSGSBASE = 2, /* of asm/hwcap2.h: user code may read segment bases */
    PIECES_AROUND = 4    /* the outermost entry, in which a section's frames lie */
};

__thread struct section section_self
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
volatile bool section_blocks;
volatile bool section_puts_off __attribute__((visibility("hidden"), used)); /* read in assembler */

static uint64_t let_in; /* a set of signals; whoever chooses the stop signal */

void section_start(void) {
#if defined(__x86_64__)
    section_puts_off = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
#endif
    section_blocks = !section_puts_off;
}

void section_begin(void) {
    section_self = (struct section){0};
    rank_forget_all();
}

void section_block_from_now_on(void) { section_blocks = true; }

void section_let_in(int number) { let_in |= (uint64_t)1 << (number - 1); }

/* libc's block begins with its own address at this place, as the ABI has it. */
bool section_is_possible(void) {
#if defined(__x86_64__)
    enum { SELF = 16, GET_FS = 0x1003 /* ARCH_GET_FS */ };
    uintptr_t base = 0;
    if (section_puts_off)
        __asm__("rdfsbase %0" : "=r"(base));
    else if (system_call(SYS_arch_prctl, GET_FS, &base) != 0)
        return false;
    return base != 0 && *(const uintptr_t *)(base + SELF) == base;
#else
    return true;
#endif
}

bool section_is_interrupted(uintptr_t stack_pointer) {
    uint32_t pieces = section_self.piece + PIECES_AROUND - section_piece(stack_pointer);
    return section_self.depth > 0 && pieces <= 2 * PIECES_AROUND;
}

uint64_t section_close(uint64_t before) {
    section_self.before = before;
    section_self.closed = true;
    return ~let_in;
}

void section_block(void) {
    uint64_t blocked = ~let_in, before;
    system_call(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, &before, sizeof blocked);
    section_close(before);
}

void section_open(void) {
    uint64_t before = section_self.before;
    section_self.closed = false;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
}

void section_abandon(void) {
    section_self.depth = 0;
    if (section_self.closed)
        section_open();
}
