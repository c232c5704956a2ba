/* The stop signal on Linux, x86-64 and aarch64; see signal.h. */
#include "os/signal.h"

#include "os/syscall.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
/* Debuggers and unwinders know a signal frame by exactly these two instructions. */
extern void signal_restorer(void) __attribute__((visibility("hidden")));
__asm__(".text\n"
        ".globl signal_restorer\n"
        ".hidden signal_restorer\n"
        ".type signal_restorer, @function\n"
        "nop\n"
        "signal_restorer:\n"
        "    movq $15, %rax\n"
        "    syscall\n"
        ".size signal_restorer, .-signal_restorer\n");
enum { RESTORER_FLAG = SIGNAL_RESTORER_FLAG };
#else
#define signal_restorer NULL
enum { RESTORER_FLAG = 0 };
#endif

bool signal_is_default(int number) {
    struct signal_action action = {0};
    return system_call(SYS_rt_sigaction, number, 0, &action, sizeof action.mask) == 0 &&
           action.handler == NULL;
}

int signal_choose(int below) {
    for (int number = below - 1; number > SIGRTMIN; number--)
        if (signal_is_default(number))
            return number;
    return 0;
}

/* Those installed here. One that waits besides the one that is handled will tell for itself what it
 * broke, or another thread will take it. Written before the first is sent. */
static signal_set ours;

void signal_describe(struct signal_action *action, void (*handler)(int, siginfo_t *, void *)) {
    *action = (struct signal_action){
        .handler = handler,
        .flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | RESTORER_FLAG,
        .restorer = signal_restorer,
        .mask = ~(signal_set)0,
    };
}

bool signal_install(int number, void (*handler)(int, siginfo_t *, void *)) {
    struct signal_action action;
    signal_describe(&action, handler);
    ours |= (signal_set)1 << (number - 1);
    return system_call(SYS_rt_sigaction, number, &action, 0, sizeof action.mask) == 0;
}

/* What goes round is mixed with a number that only this process knows: nothing that the program
 * sends itself comes to be taken for a word of ours. */
static uintptr_t mix(uintptr_t word) {
    const void *random = (const void *)getauxval(AT_RANDOM);
    uintptr_t number = (uintptr_t)0x9e3779b97f4a7c15u;
    if (random)
        memcpy(&number, (const char *)random + sizeof number, sizeof number);
    return word ^ number;
}

int signal_send(int tid, int number, void *word) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = number;
    info.si_code = SI_QUEUE;
    info.si_pid = system_call(SYS_getpid);
    info.si_uid = system_call(SYS_getuid);
    info.si_value.sival_ptr = (void *)mix((uintptr_t)word);
    return system_call(SYS_rt_tgsigqueueinfo, info.si_pid, tid, number, &info);
}

/* The kernel refuses a real-time signal that it cannot queue whenever that tells of a sender, as
 * tgkill does, too; only what kill sends is never refused, and comes without its siginfo then. Kill
 * takes the number of any thread, and asks that one first. */
int signal_send_plain(int tid, int number) { return system_call(SYS_kill, tid, number); }

bool signal_is_plain(const siginfo_t *info) {
    return info->si_code == SI_USER &&
           (info->si_pid == 0 || info->si_pid == system_call(SYS_getpid));
}

void *signal_word(const siginfo_t *info) {
    if (info->si_code != SI_QUEUE || info->si_pid != system_call(SYS_getpid))
        return NULL;
    return (void *)mix((uintptr_t)info->si_value.sival_ptr);
}

static struct signal_action lender;
static volatile int wanted_signal;

/* Libc sends it by tgkill only, so what comes from kill was sent for want of room in the queue, and
 * whoever takes it may as well take the stop signal. */
static void on_borrowed(int number, siginfo_t *info, void *context) {
    ucontext_t *interrupted = context;
    signal_set mask;
    if (signal_word(info) == &wanted_signal || signal_is_plain(info)) {
        memcpy(&mask, &interrupted->uc_sigmask, sizeof mask);
        mask &= ~((signal_set)1 << (wanted_signal - 1));
        memcpy(&interrupted->uc_sigmask, &mask, sizeof mask);
    } else if ((uintptr_t)lender.handler > (uintptr_t)SIG_IGN) {
        lender.handler(number, info, context);
    }
}

/* glibc sets its own handler when the first thread is made, and does not look at it again. */
static bool borrow(void) {
    struct signal_action now;
    if (system_call(SYS_rt_sigaction, SIGNAL_BORROWED, 0, &now, sizeof now.mask) != 0)
        return false;
    if (now.handler == on_borrowed)
        return true;
    lender = now;
    return signal_install(SIGNAL_BORROWED, on_borrowed);
}

void signal_unblock_in(int tid, int number) {
    wanted_signal = number;
    if (borrow() && signal_send(tid, SIGNAL_BORROWED, (void *)&wanted_signal) == -EAGAIN)
        signal_send_plain(tid, SIGNAL_BORROWED);
}

/* Signals that nobody handles are dropped when they arrive, unless they are blocked, as all are
 * while a handler of ours runs. */
static bool is_ignored(int number) {
    static const signal_set by_default =
        (signal_set)1 << (SIGCHLD - 1) | (signal_set)1 << (SIGURG - 1) |
        (signal_set)1 << (SIGWINCH - 1) | (signal_set)1 << (SIGCONT - 1);
    struct signal_action action = {0};
    if (system_call(SYS_rt_sigaction, number, 0, &action, sizeof action.mask) != 0)
        return false;
    return (uintptr_t)action.handler == (uintptr_t)SIG_IGN ||
           (action.handler == NULL && (by_default >> (number - 1) & 1));
}

static bool other_signal_waits(const ucontext_t *context) {
    signal_set waiting = 0, masked;
    memcpy(&masked, &context->uc_sigmask, sizeof masked);
    system_call(SYS_rt_sigpending, &waiting, sizeof waiting);
    for (waiting &= ~masked & ~ours; waiting; waiting &= waiting - 1)
        if (!is_ignored(__builtin_ctzl(waiting) + 1))
            return true;
    return false;
}

#if defined(__x86_64__)

uintptr_t signal_stack_pointer(const void *context) {
    return ((const ucontext_t *)context)->uc_mcontext.gregs[REG_RSP];
}

static bool is_behind_call(const ucontext_t *user) {
    const unsigned char *after = (const unsigned char *)user->uc_mcontext.gregs[REG_RIP];
    return (uintptr_t)after % 4096 >= 2 && after[-2] == 0x0f && after[-1] == 0x05 &&
           !other_signal_waits(user);
}

bool signal_broke_call(const void *context) {
    const ucontext_t *user = context;
    return user->uc_mcontext.gregs[REG_RAX] == -EINTR && is_behind_call(user);
}

bool signal_cut_call(const void *context) {
    const ucontext_t *user = context;
    return user->uc_mcontext.gregs[REG_RAX] > 0 && is_behind_call(user);
}

#elif defined(__aarch64__)

uintptr_t signal_stack_pointer(const void *context) {
    return ((const ucontext_t *)context)->uc_mcontext.sp;
}

static bool is_behind_call(const ucontext_t *user) {
    return ((const uint32_t *)user->uc_mcontext.pc)[-1] == 0xd4000001 && !other_signal_waits(user);
}

bool signal_broke_call(const void *context) {
    const ucontext_t *user = context;
    return (long)user->uc_mcontext.regs[0] == -EINTR && is_behind_call(user);
}

bool signal_cut_call(const void *context) {
    const ucontext_t *user = context;
    return (long)user->uc_mcontext.regs[0] > 0 && is_behind_call(user);
}

#endif
