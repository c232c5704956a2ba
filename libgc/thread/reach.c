/* States, masks and switches of threads, from /proc; see reach.h. */
#include "thread/reach.h"

#include "os/signal.h"
#include "os/tasks.h"
#include "thread/thread.h"

#include <string.h>

/* Looks in a row that must find the same: strace holds a thread for a moment, a call may take one,
 * and so may a handler of ours that scans a stack with all signals blocked. */
enum { LOOKS = 2 };

static bool blocks(const struct task_look *look, int signal) {
    return look->blocked >> (signal - 1) & 1;
}

/* One that is asleep in a call a signal wakes becomes runnable as soon as it is sent one, unless it
 * is frozen. In the other states it may not have been sent one. */
static bool stands_still(const struct task_look *look, bool was_sent) {
    return was_sent ? look->state != 'R' : strchr("tTD", look->state) != NULL;
}

/* Threads that libc makes for itself are asked once to admit the signal. Those that have registered
 * admit it anyway, and only seem deaf because they are in a handler; they are left alone, because
 * the call they are in would fail. */
static void ask_to_hear(const struct thread *thread, const struct task_look *look, int signal) {
    if (!thread->has_cache && !blocks(look, SIGNAL_BORROWED))
        signal_unblock_in(thread->tid, signal);
}

enum reach reach_look(struct thread *thread, int signal, bool was_sent, struct reach_looks *looks) {
    struct task_look look;
    if (tasks_needs_no_stop(thread->tid))
        return REACH_GONE;
    if (!tasks_look(thread->tid, &look))
        return REACH_LATE;
    bool same = looks->still == 0 || looks->switches == look.switches;
    looks->still = same && stands_still(&look, was_sent) ? looks->still + 1 : 0;
    looks->switches = look.switches;
    looks->deaf = blocks(&look, signal) ? looks->deaf + 1 : 0;
    if (looks->deaf == 1)
        ask_to_hear(thread, &look, signal);
    if (looks->still < LOOKS && looks->deaf < LOOKS)
        return REACH_LATE;
    thread->unreachable = true;
    thread->switches = look.switches;
    return REACH_NONE;
}

/* A thread that has not run since is where it was. */
bool reach_again(struct thread *thread, int signal) {
    struct task_look look;
    if (thread->unreachable && tasks_look(thread->tid, &look))
        thread->unreachable = blocks(&look, signal) || (look.state != 'R' && look.state != 'Z' &&
                                                        look.switches == thread->switches);
    else
        thread->unreachable = false;
    return !thread->unreachable;
}
