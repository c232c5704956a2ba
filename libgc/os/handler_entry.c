/* Moving signal frames; see handler_entry.h. */
#include "os/handler_entry.h"

#include "os/goroutine.h"
#include "os/handler.h"
#include "os/registers.h"
#include "os/section.h"
#include "os/signal_stack.h"
#include "os/syscall.h"

#include <atomic_ops.h>
#include <errno.h>
#include <string.h>
#include <sys/ucontext.h>

#if defined(__x86_64__)

enum { ENTRIES = 512, NESTING = 256, ENTRY_BYTES = 16, RED_ZONE = 128 };

/* The program's handlers, found by the number of their entry; those from NESTING on were installed
 * with SA_NODEFER and SA_ONSTACK. Each is written once, by whoever installs that handler. */
#define NAMED_IN_ASSEMBLY __attribute__((visibility("hidden"), used))
volatile AO_t handler_entry_targets[ENTRIES] NAMED_IN_ASSEMBLY;
const signal_set handler_entry_all NAMED_IN_ASSEMBLY = ~(signal_set)0;

extern char handler_entries[] __attribute__((visibility("hidden")));
extern char handler_entry_common[] __attribute__((visibility("hidden")));
extern char handler_entry_masked[] __attribute__((visibility("hidden")));
extern void handler_restorer(void) __attribute__((visibility("hidden")));
extern void handler_moved_restorer(void) __attribute__((visibility("hidden")));

/* What the kernel writes, from the stack pointer of a handler on. */
struct frame {
    uintptr_t restorer;
    unsigned char context[304]; /* the kernel's part of a ucontext_t */
    unsigned char information[128];
};

struct moved_frame {
    struct frame frame;
    struct signal_stack *stack; /* where it came from */
};

/* Continues in the entry as if the frame, whose registers the handler is to find, had begun there.
 */
_Noreturn void handler_entry_go_on(struct frame *frame, unsigned entry, int number, signal_set mask)
    __attribute__((visibility("hidden")));

static ucontext_t *context_of(struct frame *frame) { return (ucontext_t *)frame->context; }
static struct frame *frame_of(void *context) {
    return (struct frame *)((char *)context - offsetof(struct frame, context));
}

static greg_t *registers_of(struct frame *frame) { return context_of(frame)->uc_mcontext.gregs; }

/* What the kernel does when a signal stack is too small for the frame. */
static void die_for_want_of_room(void) {
    struct signal_action by_default = {0};
    system_call(SYS_rt_sigaction, SIGSEGV, &by_default, 0, sizeof by_default.mask);
    signal_set none = 0;
    system_call(SYS_tgkill, system_call(SYS_getpid), system_call(SYS_gettid), SIGSEGV);
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
}

/* The end of the stack where the kernel would have put the frame. */
static uintptr_t native_top(const struct signal_stack *stack, uintptr_t interrupted,
                            bool on_signal_stack) {
    uintptr_t below = interrupted - RED_ZONE;
    const stack_t *program = &stack->program;
    if (!on_signal_stack || program->ss_size == 0 || signal_stack_program_holds(stack, below))
        return below;
    return (uintptr_t)program->ss_sp + program->ss_size;
}

/* The frame's pointer to its vector registers is the only one into itself. */
static struct frame *move(struct frame *frame, struct signal_stack *stack, bool on_signal_stack) {
    ucontext_t *context = context_of(frame);
    uintptr_t top = native_top(stack, registers_of(frame)[REG_RSP], on_signal_stack);
    void *vectors = context->uc_mcontext.fpregs;
    size_t bytes = vectors ? registers_vector_bytes(vectors) : 0;
    uintptr_t vectors_at = (top - bytes) & ~(uintptr_t)63;
    struct moved_frame *to =
        (struct moved_frame *)(((vectors_at - sizeof *to) & ~(uintptr_t)15) - 8);
    bool on_programs = top != registers_of(frame)[REG_RSP] - (uintptr_t)RED_ZONE ||
                       signal_stack_program_holds(stack, top);
    if (on_programs && (uintptr_t)to <= (uintptr_t)stack->program.ss_sp)
        die_for_want_of_room();
    if (vectors)
        memcpy((void *)vectors_at, vectors, bytes);
    to->frame = *frame;
    to->stack = stack;
    to->frame.restorer = (uintptr_t)handler_moved_restorer;
    context = context_of(&to->frame);
    context->uc_mcontext.fpregs = vectors ? (void *)vectors_at : NULL;
    context->uc_stack = stack->program;
    if (stack->program.ss_flags & SIGNAL_STACK_AUTODISARM)
        stack->program = (stack_t){.ss_flags = SS_DISABLE};
    return &to->frame;
}

static struct frame *place(struct frame *frame, bool on_signal_stack);

static void admit_again(unsigned entry, int number, signal_set *mask) {
    if (entry >= NESTING)
        *mask &= ~((signal_set)1 << (number - 1));
}

/* The frame interrupted another entry before that had blocked all signals: its frame goes first,
 * and it will go on in its handler. False when it stays where it is. */
static bool place_interrupted(struct frame *frame) {
    greg_t *registers = registers_of(frame);
    uintptr_t at = registers[REG_RIP], first = (uintptr_t)handler_entries;
    struct frame *outer = (struct frame *)registers[REG_RSP];
    bool is_early = at < (uintptr_t)handler_entry_common;
    if (at < first || at >= (uintptr_t)handler_entry_masked ||
        outer->restorer != (uintptr_t)handler_restorer)
        return false;
    unsigned entry = is_early ? (at - first) / ENTRY_BYTES : (unsigned)registers[REG_R8];
    int number = is_early ? registers[REG_RDI] : registers[REG_R9];
    struct frame *moved = place(outer, true);
    if (moved == outer)
        return false;
    signal_set mask;
    memcpy(&mask, &context_of(frame)->uc_sigmask, sizeof mask);
    admit_again(entry, number, &mask);
    memcpy(&context_of(frame)->uc_sigmask, &mask, sizeof mask);
    registers[REG_RIP] = (greg_t)AO_load(&handler_entry_targets[entry]);
    registers[REG_RSP] = (greg_t)moved;
    registers[REG_RDI] = number;
    registers[REG_RSI] = (greg_t)moved->information;
    registers[REG_RDX] = (greg_t)moved->context;
    registers[REG_RAX] = 0;
    return true;
}

/* Where the handler is to run: the frame, or what became of it. */
static struct frame *place(struct frame *frame, bool on_signal_stack) {
    struct signal_stack *stack = signal_stack_of(&context_of(frame)->uc_stack);
    if (stack == NULL || !signal_stack_holds(stack, (uintptr_t)frame))
        return frame;
    uintptr_t interrupted = registers_of(frame)[REG_RSP];
    if (signal_stack_holds(stack, interrupted) && !place_interrupted(frame))
        return frame;
    if (stack->program.ss_size == 0 && goroutine_may_run(registers_of(frame)[REG_RIP]))
        return frame;
    return move(frame, stack, on_signal_stack);
}

/* Where the stack stood that the thread's own code had, beneath entries that interrupted each other
 * before they had blocked all signals. */
static uintptr_t interrupted_stack(struct frame *frame) {
    for (;;) {
        uintptr_t at = registers_of(frame)[REG_RIP], below = registers_of(frame)[REG_RSP];
        if (at < (uintptr_t)handler_entries || at >= (uintptr_t)handler_entry_masked ||
            ((struct frame *)below)->restorer != (uintptr_t)handler_restorer)
            return below;
        frame = (struct frame *)below;
    }
}

/* Without the kernel's information it is taken for a fault. */
static bool tells_of_fault(int number, const struct frame *frame, bool informed) {
    const siginfo_t *information = (const siginfo_t *)frame->information;
    return signal_tells_of_fault(number) && (!informed || information->si_code > 0);
}

/* The thread gets the signal once more. Where no memory is left to queue what it tells, it comes
 * without that. */
static bool send_again(int number, struct frame *frame, bool informed) {
    long process = system_call(SYS_getpid), thread = system_call(SYS_gettid);
    long sent =
        informed ? system_call(SYS_rt_tgsigqueueinfo, process, thread, number, frame->information)
                 : system_call(SYS_tgkill, process, thread, number);
    siginfo_t plain = {.si_signo = number, .si_code = SI_USER};
    if (sent == -EAGAIN)
        sent = system_call(SYS_rt_tgsigqueueinfo, process, thread, number, &plain);
    return sent == 0;
}

/* The kernel has taken a handler away that was to run once, and has left its flags and its mask. */
static void install_again(int number, struct signal_action *action, uintptr_t entry) {
    if (!(action->flags & SA_RESETHAND) || action->handler != NULL)
        return;
    memcpy(&action->handler, &entry, sizeof entry);
    system_call(SYS_rt_sigaction, number, action, NULL, sizeof action->mask);
}

/* All that waits is blocked as well, until the section ends: each signal comes once more. */
static bool put_off(struct frame *frame, uintptr_t entry, int number) {
    struct signal_action action = {0};
    if (!section_is_interrupted(interrupted_stack(frame)) ||
        system_call(SYS_rt_sigaction, number, NULL, &action, sizeof action.mask) != 0)
        return false;
    bool informed = action.flags & SA_SIGINFO;
    if (tells_of_fault(number, frame, informed))
        return false;
    install_again(number, &action, entry);
    if (!send_again(number, frame, informed))
        return false;
    signal_set mask;
    memcpy(&mask, &context_of(frame)->uc_sigmask, sizeof mask);
    mask = section_close(mask) | (signal_set)1 << (number - 1);
    memcpy(&context_of(frame)->uc_sigmask, &mask, sizeof mask);
    return true;
}

/* Called by the entry, with all signals blocked; *mask is what it is to be in the handler. NULL
 * when the handler is not to run now. */
NAMED_IN_ASSEMBLY struct frame *handler_entry_place(struct frame *frame, unsigned entry, int number,
                                                    signal_set *mask);
struct frame *handler_entry_place(struct frame *frame, unsigned entry, int number,
                                  signal_set *mask) {
    if (section_puts_off &&
        put_off(frame, (uintptr_t)handler_entries + entry * ENTRY_BYTES, number))
        return NULL;
    admit_again(entry, number, mask);
    return place(frame, true);
}

/* Called when the handler of a moved frame has returned. As after any handler, the thread has the
 * signal stack that the frame tells of, unless it returns onto the one it has. */
NAMED_IN_ASSEMBLY void handler_entry_leave(ucontext_t *context);
void handler_entry_leave(ucontext_t *context) {
    struct frame *frame = frame_of(context);
    struct signal_stack *stack = ((struct moved_frame *)frame)->stack;
    signal_stack_change(stack, registers_of(frame)[REG_RSP], &context->uc_stack, NULL);
    context->uc_stack = (stack_t){.ss_sp = (void *)stack->low, .ss_size = stack->high - stack->low};
}

/* The entry of a handler; 0 when there are too many handlers. */
static uintptr_t entry_of(uintptr_t handler, bool nests) {
    for (int i = nests ? NESTING : 0, end = nests ? ENTRIES : NESTING; i < end; i++) {
        AO_t found = AO_load(&handler_entry_targets[i]);
        if (found == 0 && AO_compare_and_swap_full(&handler_entry_targets[i], 0, handler))
            found = handler;
        else if (found == 0)
            found = AO_load(&handler_entry_targets[i]);
        if (found == handler)
            return (uintptr_t)handler_entries + i * ENTRY_BYTES;
    }
    return 0;
}

bool handler_entry_moves(void) { return true; }

void handler_entry_hide(struct signal_action *action) {
    uintptr_t handler = (uintptr_t)action->handler;
    bool nests = (action->flags & SA_NODEFER) && (action->flags & SA_ONSTACK);
    if (handler <= (uintptr_t)SIG_IGN || goroutine_may_run(handler))
        return;
    uintptr_t entry = entry_of(handler, nests);
    if (entry == 0)
        return;
    memcpy(&action->handler, &entry, sizeof entry);
    if (nests)
        action->flags &= ~(unsigned long)SA_NODEFER;
}

void handler_entry_show(struct signal_action *action) {
    uintptr_t entry = ((uintptr_t)action->handler - (uintptr_t)handler_entries) / ENTRY_BYTES;
    if (entry >= ENTRIES)
        return;
    uintptr_t handler = AO_load(&handler_entry_targets[entry]);
    memcpy(&action->handler, &handler, sizeof handler);
    if (entry >= NESTING)
        action->flags |= SA_NODEFER;
}

bool handler_entry_put_off(int number, void *context) {
    return section_puts_off && section_is_possible() && put_off(frame_of(context), 0, number);
}

void handler_entry_forward(int number, void *context, const struct signal_action *action) {
    struct frame *frame = frame_of(context);
    uintptr_t entry = entry_of((uintptr_t)action->handler, false);
    signal_set mask;
    if (entry == 0)
        return;
    frame->restorer = (uintptr_t)handler_restorer;
    frame = place(frame, action->flags & SA_ONSTACK);
    memcpy(&mask, &context_of(frame)->uc_sigmask, sizeof mask);
    mask |= action->mask;
    if (!(action->flags & SA_NODEFER))
        mask |= (signal_set)1 << (number - 1);
    unsigned at = (entry - (uintptr_t)handler_entries) / ENTRY_BYTES;
    handler_entry_go_on(frame, at, number, mask);
}

#else

bool handler_entry_moves(void) { return false; }
void handler_entry_hide(struct signal_action *action) { (void)action; }
void handler_entry_show(struct signal_action *action) { (void)action; }
void handler_entry_forward(int number, void *context, const struct signal_action *action) {
    (void)number, (void)context, (void)action;
}
bool handler_entry_put_off(int number, void *context) {
    (void)number, (void)context;
    return false;
}

#endif
