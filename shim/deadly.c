/* The handler of deadly signals; see deadly.h. */
#include "deadly.h"

#include "real.h"

#include "os/handler_entry.h"
#include "os/signal.h"
#include "os/syscall.h"
#include "thread/thread.h"
#include "thread/world.h"

#include <atomic_ops.h>
#include <stddef.h>
#include <stdint.h>

static const int all[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,    SIGTRAP, SIGABRT,  SIGBUS,  SIGFPE,
                          SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE,   SIGALRM, SIGTERM,  SIGXCPU, SIGXFSZ,
                          SIGPROF, SIGIO,   SIGPWR,  SIGVTALRM, SIGSYS,  SIGSTKFLT};
static const int of_services[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

static const int *numbers; /* by the constructor */
static size_t count;
static void (*say)(const void *context);

static volatile unsigned dying; /* 1 from the first on, by the thread that it came to; full */

void deadly_die(int number, siginfo_t *information) {
    struct signal_action by_default = {0};
    long process = system_call(SYS_getpid), thread = system_call(SYS_gettid);
    system_call(SYS_rt_sigaction, number, &by_default, 0, sizeof by_default.mask);
    if (information == NULL ||
        system_call(SYS_rt_tgsigqueueinfo, process, thread, number, information) != 0)
        system_call(SYS_tgkill, process, thread, number);
}

static void on_deadly_signal(int number, siginfo_t *information, void *context);

bool deadly_handles(const struct sigaction *action) {
    return action->sa_sigaction == on_deadly_signal;
}

static bool is_ours(int number) {
    struct sigaction found;
    return REAL(sigaction)(number, NULL, &found) == 0 && deadly_handles(&found);
}

/* The stop signal, though there may have been no stop yet, and those that end it. Handlers of the
 * program's could leave by longjmp. */
static void let_in_while_dying(void) {
    signal_set admitted = (signal_set)1 << (world_signal() - 1);
    for (int number = SIGINT; number <= SIGQUIT; number++)
        if (is_ours(number))
            admitted |= (signal_set)1 << (number - 1);
    system_call(SYS_rt_sigprocmask, SIG_UNBLOCK, &admitted, 0, sizeof admitted);
}

/* While another thread says the last: a fault would come again and again. */
static void await_end(const siginfo_t *information) {
    while (information && information->si_code > 0)
        system_call(SYS_pause);
}

/* Somebody who saved a disposition may have installed it again without our flags: then the kernel
 * tells nothing of the signal. */
static void on_deadly_signal(int number, siginfo_t *information, void *context) {
    if (information->si_signo != number)
        information = NULL;
    if (!thread_in_own_process()) {
        deadly_die(number, information);
    } else if (AO_int_load(&dying) == 0 && handler_entry_put_off(number, context)) {
        return;
    } else if (AO_int_compare_and_swap_full(&dying, 0, 1)) {
        let_in_while_dying();
        say(context);
        deadly_die(number, information);
    } else if (number == SIGINT || number == SIGQUIT) {
        deadly_die(number, information);
    } else {
        let_in_while_dying();
        await_end(information);
    }
}

static bool is_deadly(int number) {
    for (size_t i = 0; i < count; i++)
        if (numbers[i] == number)
            return true;
    return false;
}

void deadly_take_place(int number, struct sigaction *action) {
    if (action->sa_handler != SIG_DFL || !is_deadly(number))
        return;
    *action = (struct sigaction){.sa_sigaction = on_deadly_signal,
                                 .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigfillset(&action->sa_mask);
}

void deadly_start(bool of_every_signal, void (*say_last)(const void *context)) {
    say = say_last;
    numbers = of_every_signal ? all : of_services;
    count = of_every_signal ? sizeof all / sizeof *all : sizeof of_services / sizeof *of_services;
    for (size_t i = 0; i < count; i++) {
        struct sigaction action;
        if (REAL(sigaction)(numbers[i], NULL, &action) != 0 || action.sa_handler != SIG_DFL)
            continue;
        deadly_take_place(numbers[i], &action);
        REAL(sigaction)(numbers[i], &action, NULL);
    }
}

void deadly_withdraw(void) {
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < count; i++)
        if (is_ours(numbers[i]))
            REAL(sigaction)(numbers[i], &by_default, NULL);
    count = 0;
}
