/* fork: the child gets a heap in which nothing is half done; see fork.h.
 *
 * Our locks are held from our prepare handler until libc has made the child. No handler of the
 * program's runs in this thread meanwhile, because it may allocate. Libc takes the lock of its list
 * of streams within that time, and whoever holds that lock may wait for a stream whose owner
 * allocates; so it is taken here, before ours. Libc takes it once more, since its owner may.
 *
 * Our handlers must be registered before anybody's: then the lock-taking one runs last and the
 * lock-giving ones run first, and the handlers of the program and its libraries may allocate.
 * Constructors of libraries may register theirs before our own constructor runs, so the function
 * behind pthread_atfork is wrapped and lets ours go first.
 */
#include "fork.h"

#include "beyond.h"
#include "leak/check.h"
#include "leak/dead_stacks.h"
#include "leak/listener.h"
#include "leak/record.h"
#include "leak/trial.h"
#include "real.h"
#include "requests.h"
#include "threads.h"

#include "cycle/cycle.h"
#include "os/signal.h"
#include "os/syscall.h"
#include "thread/world.h"

#include <atomic_ops.h>
#include <stdbool.h>
#include <stddef.h>

static volatile AO_TS_t registered = AO_TS_INITIALIZER;

/* Exported by libc since ever, declared by none of its headers. */
void _IO_list_lock(void);
void _IO_list_unlock(void);
void _IO_list_resetlock(void);

static bool streams_locked;    /* by the forking thread; with our locks */
static signal_set mask_before; /* its mask; the same */

/* What a fault of the thread's own raises cannot wait, and a stop must not be kept waiting: its
 * conductor may hold the lock that we wait for. */
static signal_set put_off_signals(void) {
    static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    signal_set put_off = ~(signal_set)0, before;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        put_off &= ~((signal_set)1 << (kept[i] - 1));
    if (world_signal())
        put_off &= ~((signal_set)1 << (world_signal() - 1));
    system_call(SYS_rt_sigprocmask, SIG_BLOCK, &put_off, &before, sizeof before);
    return before;
}

static void restore_signals(signal_set before) {
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
}

static void prepare(void) {
    signal_set before = put_off_signals();
    bool locks_streams = threads_were_made();
    if (locks_streams)
        _IO_list_lock();
    cycle_before_fork();
    requests_before_fork();
    streams_locked = locks_streams;
    mask_before = before;
}

static void go_on(void) {
    signal_set before = mask_before;
    bool unlocks_streams = streams_locked;
    requests_after_fork();
    cycle_after_fork(false);
    if (unlocks_streams)
        _IO_list_unlock();
    restore_signals(before);
}

static void begin_child(void) {
    beyond_after_fork();
    requests_after_fork();
    cycle_after_fork(true);
    if (record_is_on()) {
        record_after_fork();
        dead_stacks_after_fork();
        if (trial_is_on()) {
            trial_after_fork();
        } else {
            check_after_fork();
            listener_after_fork();
        }
    }
    if (streams_locked)
        _IO_list_resetlock(); /* as libc does where it knows of several threads */
    restore_signals(mask_before);
}

/* glibc's own, which pthread_atfork calls with the handle of the library that called it, so that
 * dlclose can take the handlers back. A NULL handle is for ever. */
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                      void *library);

void fork_start(void) {
    if (AO_test_and_set_full(&registered) == AO_TS_CLEAR)
        REAL(__register_atfork)(prepare, go_on, begin_child, NULL);
}

TITHE_EXPORT int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                                   void *library) {
    fork_start();
    return REAL(__register_atfork)(prepare, parent, child, library);
}

/* Old binaries find this one in libc. */
TITHE_EXPORT int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    return __register_atfork(prepare, parent, child, NULL);
}
