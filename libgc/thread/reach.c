/* States, masks and switches of threads, from /proc; see reach.h. */
#include "thread/reach.h"

#include "os/signal.h"
#include "os/tasks.h"
#include "thread/thread.h"

#include <string.h>

/* Looks in a row that must find the same: strace holds a thread for a moment, and a call may take
 * one. A thread that holds the signal back while it can run may be in a handler of ours from the
 * stop before, waiting for a processor. */
enum { LOOKS = 2, LOOKS_RUNNING = 6 };

static bool blocks(const struct task_look *look, int signal) {
    return look->blocked >> (signal - 1) & 1;
}

static bool is_pending(const struct task_look *look, int signal) {
    return look->pending >> (signal - 1) & 1;
}

/* One that blocks it and has taken it is about to answer. */
static bool holds_back(const struct task_look *look, int signal) {
    return blocks(look, signal) && is_pending(look, signal);
}

static bool is_out_of_reach(const struct task_look *look, const struct reach_looks *looks) {
    return looks->still >= LOOKS || looks->deaf >= (look->state == 'R' ? LOOKS_RUNNING : LOOKS);
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
    looks->deaf = holds_back(&look, signal) ? looks->deaf + 1 : 0;
    if (looks->deaf == 1)
        ask_to_hear(thread, &look, signal);
    if (!is_out_of_reach(&look, looks))
        return REACH_LATE;
    thread->unreachable = true;
    thread->switches = look.switches;
    return REACH_NONE;
}

void reach_glance(struct thread *thread, int signal) {
    struct task_look look;
    if (!tasks_look(thread->tid, &look) || look.state == 'R' || !is_pending(&look, signal))
        return;
    thread->unreachable = true;
    thread->switches = look.switches;
}

/* A thread that has not run since is where it was. */
bool reach_again(struct thread *thread, int signal) {
    struct task_look look;
    if (thread->unreachable && tasks_look(thread->tid, &look))
        thread->unreachable =
            holds_back(&look, signal) ||
            (look.state != 'R' && look.state != 'Z' && look.switches == thread->switches);
    else
        thread->unreachable = false;
    return !thread->unreachable;
}
