/* fork: the child gets a heap in which nothing is half done; see fork.h.
 *
 * Our handlers must be registered before anybody's: then the lock-taking one runs last and the
 * lock-giving ones run first, and the handlers of the program and its libraries may allocate.
 * Constructors of libraries may register theirs before our own constructor runs, so the function
 * behind pthread_atfork is wrapped and lets ours go first.
 */
#include "fork.h"

#include "altstack.h"
#include "kernel_held.h"
#include "leak/check.h"
#include "leak/dead_stacks.h"
#include "leak/listener.h"
#include "leak/record.h"
#include "real.h"

#include "cycle/cycle.h"

#include <atomic_ops.h>
#include <stddef.h>

static volatile AO_TS_t registered = AO_TS_INITIALIZER;

static void prepare(void) {
    kernel_held_lock();
    cycle_before_fork();
}

static void go_on(void) {
    cycle_after_fork(false);
    kernel_held_unlock();
}

static void begin_child(void) {
    cycle_after_fork(true);
    altstack_after_fork();
    kernel_held_unlock();
    if (record_is_on()) {
        record_after_fork();
        dead_stacks_after_fork();
        check_after_fork();
        listener_after_fork();
    }
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
