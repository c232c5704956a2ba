/* fork: the child gets a heap in which nothing is half done; see fork.h.
 *
 * Our locks are held from our prepare handler until libc has made the child. All of that is a
 * section, so no handler of the program's, which may allocate, runs in this thread meanwhile. Libc
 * takes locks of its own within that time, and those come before ours. One is that of its list of
 * streams, and whoever holds it may wait for a stream whose owner allocates; so it is taken here,
 * before ours. Libc takes it once more, since its owner may. Another is that of the fork handlers,
 * with which libc allocates where it gets one more; so whoever registers one has a lock of ours
 * before it.
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
#include "os/park.h"

#include <atomic_ops.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

static volatile AO_TS_t registered = AO_TS_INITIALIZER;

/* Exported by libc since ever, declared by none of its headers. */
void _IO_list_lock(void);
void _IO_list_unlock(void);
void _IO_list_resetlock(void);

static struct lock registering = LOCK_OF(RANK_FORK);
static bool streams_locked; /* by the forking thread; with our locks */

static void take_locks(bool streams) {
    section_enter();
    lock_take(&registering);
    if (streams)
        _IO_list_lock();
    cycle_before_fork();
    requests_before_fork();
    streams_locked = streams;
}

static void give_locks(void) {
    requests_after_fork();
    cycle_after_fork(false);
}

static void prepare(void) { take_locks(threads_were_made()); }

static void go_on(void) {
    bool unlocks_streams = streams_locked;
    give_locks();
    if (unlocks_streams)
        _IO_list_unlock();
    lock_give(&registering);
    section_leave();
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
    lock_give(&registering);
    section_leave();
}

/* Async-signal-safe, and without anybody's handlers: libc leaves its own locks as they are. */
TITHE_EXPORT pid_t _Fork(void) {
    take_locks(false);
    pid_t child = REAL(_Fork)();
    int failure = errno;
    if (child == 0)
        begin_child();
    else
        go_on();
    errno = failure;
    return child;
}

/* The child has a heap in which nothing is half done, and nothing of it is collected any more. */
long fork_by(long (*call)(const void *context), const void *context) {
    take_locks(false);
    long result = call(context);
    int failure = errno;
    go_on();
    errno = failure;
    return result;
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
    lock_take(&registering);
    int result = REAL(__register_atfork)(prepare, parent, child, library);
    lock_give(&registering);
    return result;
}

/* Old binaries find this one in libc. */
TITHE_EXPORT int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    return __register_atfork(prepare, parent, child, NULL);
}
