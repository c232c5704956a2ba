/* The program's own signal handlers, given a return of ours; see handler.h. */
#include "os/handler.h"

#include "os/handler_entry.h"
#include "os/recovery.h"
#include "os/signal.h"
#include "os/syscall.h"

#include <atomic_ops.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Named by the instructions below, which link-time optimization does not read. */
volatile unsigned long handler_counts[HANDLER_PIECES] __attribute__((used));

#if defined(__x86_64__)

/* Unwinders know the return from a handler by its last two instructions, if these stand alone. With
 * more before them they must be told where the kernel saved each register: from 40 bytes into the
 * ucontext on, to which the stack pointer points then, in the order of asm/sigcontext.h. The
 * function begins a byte early, since unwinders look for the byte before a return address. */
__asm__(".macro handler_saved register, index\n"
        "    .cfi_escape 0x10, \\register, 3, 0x77, (40 + 8 * \\index) & 127 | 128\n"
        "    .cfi_escape (40 + 8 * \\index) >> 7\n"
        ".endm\n"
        ".text\n"
        ".globl handler_restorer, handler_moved_restorer\n"
        ".hidden handler_restorer, handler_moved_restorer\n"
        ".type handler_restorer, @function\n"
        ".cfi_startproc\n"
        ".cfi_signal_frame\n"
        ".cfi_escape 0x0f, 4, 0x77, 160, 1, 6\n" /* the frame is at the rsp of then */
        "handler_saved 8, 0\n"
        "handler_saved 9, 1\n"
        "handler_saved 10, 2\n"
        "handler_saved 11, 3\n"
        "handler_saved 12, 4\n"
        "handler_saved 13, 5\n"
        "handler_saved 14, 6\n"
        "handler_saved 15, 7\n"
        "handler_saved 5, 8\n"
        "handler_saved 4, 9\n"
        "handler_saved 6, 10\n"
        "handler_saved 3, 11\n"
        "handler_saved 1, 12\n"
        "handler_saved 0, 13\n"
        "handler_saved 2, 14\n"
        "handler_saved 7, 15\n"
        "handler_saved 16, 16\n"
        "    nop\n"
        "handler_moved_restorer:\n" /* of frames that were moved (os/handler_entry) */
        "    movq %rsp, %rdi\n"
        "    call handler_entry_leave\n"
        "handler_restorer:\n"
        "    movq 160(%rsp), %rax\n" /* of the interrupted stack pointer, as handler.h has it */
        "    shrq $16, %rax\n"
        "    movq %rax, %rcx\n"
        "    shrq $10, %rcx\n"
        "    xorl %ecx, %eax\n"
        "    andl $1023, %eax\n"
        "    leaq handler_counts(%rip), %rcx\n"
        "    lock incq (%rcx,%rax,8)\n"
        "    movq $15, %rax\n"
        "    syscall\n"
        ".cfi_endproc\n"
        ".size handler_restorer, .-handler_restorer\n");
extern void handler_restorer(void) __attribute__((visibility("hidden")));
enum { RESTORER_FLAG = SIGNAL_RESTORER_FLAG };

void handler_hide(const void *context) {
    volatile AO_t *count = handler_count_at(signal_stack_pointer(context));
    if (signal_broke_call(context))
        AO_fetch_and_add_full(count, (AO_t)1 << HANDLER_BROKEN_SHIFT);
    else if (signal_cut_call(context))
        AO_fetch_and_add_full(count, (AO_t)1 << HANDLER_CUT_SHIFT);
}

#else
enum { RESTORER_FLAG = 0 };
static void (*const handler_restorer)(void) = NULL;
void handler_hide(const void *context) { (void)context; }
#endif

/* What glibc keeps for itself, to cancel threads and to change the user of all of them. */
static bool is_libcs(int number) { return number == 32 || number == SIGNAL_BORROWED; }

int handler_install(int number, const struct sigaction *action, struct sigaction *old) {
    struct signal_action set, found;
    long result = is_libcs(number) ? -EINVAL : 0;
    if (action) {
        set.handler = action->sa_sigaction;
        set.flags = (unsigned)action->sa_flags | RESTORER_FLAG;
        set.restorer = handler_restorer;
        memcpy(&set.mask, &action->sa_mask, sizeof set.mask);
        handler_entry_hide(&set);
    }
    if (result == 0)
        result = system_call(SYS_rt_sigaction, number, action ? &set : NULL, old ? &found : NULL,
                             sizeof set.mask);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    if (old) {
        handler_entry_show(&found);
        recovery_show(number, &found);
        memset(old, 0, sizeof *old);
        old->sa_sigaction = found.handler;
        old->sa_flags = (int)found.flags;
        old->sa_restorer = found.restorer;
        memcpy(&old->sa_mask, &found.mask, sizeof found.mask);
    }
    return 0;
}
