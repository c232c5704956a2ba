/* A handler for faults of markers; see recovery.h. */
#include "os/recovery.h"

#include "os/signal.h"
#include "os/syscall.h"

#include <atomic_ops.h>
#include <string.h>
#include <sys/ucontext.h>

/* Clang has no __builtin_setjmp for aarch64, and libc's looks into its own record of the thread,
 * which a worker does not have. */
#if defined(__x86_64__) || (defined(__aarch64__) && !defined(__clang__))

enum { RED_ZONE = 128, PLACES = 256 };

/* Written by the conductor: what stood in the kernel, before the number is armed. */
static struct {
    int number;
    struct signal_action replaced;
} ours[] = {{.number = SIGSEGV}, {.number = SIGBUS}};
enum { OURS = sizeof ours / sizeof *ours };

/* Which of them are surely ours, as a set. Set by the conductor when the handler is installed, and
 * cleared before it is taken away; any thread reads it. */
static volatile AO_t armed;
static volatile AO_t range_start, range_end; /* written before armed is */

/* Where threads leave to that are in a call, and which threads: each takes a place by its id, with
 * a full barrier, writes the other field, and gives the place back. Not thread-local, because there
 * is little of that, and a thread that is not libc's may have another one's. */
static struct {
    volatile AO_t tid;
    void **volatile buffer;
} places[PLACES];

static AO_t bit_of(int number) { return (AO_t)1 << (number - 1); }

static __attribute__((noinline)) void leave(void **buffer) { __builtin_longjmp(buffer, 1); }

/* NULL if the thread is in no call. Only the thread itself has written what it finds. */
static void **way_out_of(long tid) {
    for (int i = 0; i < PLACES; i++)
        if (AO_load(&places[i].tid) == (AO_t)tid)
            return places[i].buffer;
    return NULL;
}

static bool is_in_range(const siginfo_t *info) {
    uintptr_t address = (uintptr_t)info->si_addr;
    return address >= AO_load(&range_start) && address < AO_load(&range_end);
}

/* The kernel restores the mask and the signal stack first. */
static void go_on_in_leave(ucontext_t *context, void **buffer) {
    uintptr_t stack = (signal_stack_pointer(context) - RED_ZONE) & ~(uintptr_t)15;
#if defined(__x86_64__)
    context->uc_mcontext.gregs[REG_RSP] = (greg_t)(stack - sizeof(uintptr_t));
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)leave;
    context->uc_mcontext.gregs[REG_RDI] = (greg_t)(uintptr_t)buffer;
#else
    context->uc_mcontext.sp = stack;
    context->uc_mcontext.pc = (uintptr_t)leave;
    context->uc_mcontext.regs[0] = (uintptr_t)buffer;
#endif
}

static bool set_action(int number, const struct signal_action *action, struct signal_action *old) {
    return system_call(SYS_rt_sigaction, number, action, old, sizeof action->mask) == 0;
}

/* Puts an action in the place of another one, and tells what that was. What the program sets
 * between the two looks is put back. */
static bool exchange(int number, void (*from)(int, siginfo_t *, void *),
                     const struct signal_action *to, struct signal_action *old) {
    if (!set_action(number, NULL, old) || old->handler != from || !set_action(number, to, old))
        return false;
    if (old->handler == from)
        return true;
    set_action(number, old, NULL);
    return false;
}

static void on_fault(int number, siginfo_t *info, void *context);

static void take_away(int number) {
    struct signal_action old;
    for (int i = 0; i < OURS; i++)
        if (ours[i].number == number)
            exchange(number, on_fault, &ours[i].replaced, &old);
}

/* Somebody sent it. A thread that marks is none that the program has let the signal in: another one
 * may be, or wait for it. */
static void pass_on(int number, siginfo_t *info, ucontext_t *context, bool marks) {
    signal_set mask;
    long process = system_call(SYS_getpid);
    if (!marks) {
        if (AO_load(&armed) & bit_of(number))
            take_away(number);
        system_call(SYS_rt_tgsigqueueinfo, process, system_call(SYS_gettid), number, info);
        return;
    }
    memcpy(&mask, &context->uc_sigmask, sizeof mask);
    mask |= bit_of(number);
    memcpy(&context->uc_sigmask, &mask, sizeof mask);
    if (system_call(SYS_rt_sigqueueinfo, process, number, info) != 0)
        system_call(SYS_kill, process, number);
}

/* A fault happens again when this returns; while it is not armed, as often as it takes the
 * conductor to put back what was there. */
static void on_fault(int number, siginfo_t *info, void *context) {
    void **buffer = way_out_of(system_call(SYS_gettid));
    if (info->si_code <= 0)
        pass_on(number, info, context, buffer != NULL);
    else if (buffer && is_in_range(info))
        go_on_in_leave(context, buffer);
    else if (AO_load(&armed) & bit_of(number))
        take_away(number);
}

void recovery_arm(uintptr_t start, uintptr_t end) {
    struct signal_action action, old;
    AO_store(&range_start, start);
    AO_store(&range_end, end);
    signal_describe(&action, on_fault);
    action.mask = 0;
    for (int i = 0; i < OURS; i++)
        if (exchange(ours[i].number, NULL, &action, &old)) {
            ours[i].replaced = old;
            AO_or_full(&armed, bit_of(ours[i].number));
        }
}

void recovery_disarm(void) {
    AO_t before = AO_load(&armed);
    AO_store_full(&armed, 0);
    for (int i = 0; i < OURS; i++)
        if (before & bit_of(ours[i].number))
            take_away(ours[i].number);
}

static int take_place(long tid) {
    for (int i = 0; i < PLACES; i++) {
        int at = (int)((tid + i) % PLACES);
        if (AO_load(&places[at].tid) == 0 && AO_compare_and_swap_full(&places[at].tid, 0, tid))
            return at;
    }
    return -1;
}

struct call {
    void (*function)(void *context);
    void *context;
    void **volatile *way_out;
    signal_set faults, before;
};

/* Signals come in only while the place tells whose thread this is, and where it may go. */
static __attribute__((noinline)) bool attempt(struct call *call) {
    void *buffer[5];
    if (__builtin_setjmp(buffer) != 0)
        return false;
    *call->way_out = buffer;
    system_call(SYS_rt_sigprocmask, SIG_UNBLOCK, &call->faults, &call->before, sizeof call->faults);
    call->function(call->context);
    return true;
}

static bool call_at(int place, struct call call) {
    call.way_out = &places[place].buffer;
    bool done = attempt(&call);
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &call.before, 0, sizeof call.before);
    places[place].buffer = NULL;
    AO_store_full(&places[place].tid, 0);
    return done;
}

bool recovery_call(void (*function)(void *context), void *context) {
    signal_set faults = AO_load_acquire(&armed);
    int place = faults ? take_place(system_call(SYS_gettid)) : -1;
    if (place >= 0)
        return call_at(place, (struct call){function, context, NULL, faults, 0});
    function(context);
    return true;
}

void recovery_show(int number, struct signal_action *action) {
    if (action->handler == on_fault)
        *action = ours[number == ours[1].number].replaced;
}

void recovery_after_fork(void) {
    recovery_disarm();
    for (int i = 0; i < PLACES; i++)
        AO_store(&places[i].tid, 0);
}

#else

void recovery_arm(uintptr_t start, uintptr_t end) { (void)start, (void)end; }
void recovery_disarm(void) {}
void recovery_after_fork(void) {}
void recovery_show(int number, struct signal_action *action) { (void)number, (void)action; }
bool recovery_call(void (*function)(void *context), void *context) {
    function(context);
    return true;
}

#endif
