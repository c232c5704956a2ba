/* Stop and start by signal; see world.h.
 *
 * The stopping thread moves a record to stopping and sends the signal; the handler publishes where
 * the thread stands, moves the record to stopped and sleeps until the epoch changes. That exchange
 * is the acknowledgement, and it carries the epoch, so that a handler which was delayed
 * over the end of one stop into the next knows which one it serves: a signal that arrives after its
 * stop was cancelled finds the record running and returns at once. Neither side waits for the other
 * to leave.
 *
 * Where the kernel has no room to queue a signal, one without a word is sent to the process, and no
 * second one before somebody has taken it. Whoever takes it stops if its record says so, and the
 * stopper sends the next one. So threads stop one after the other, in any order.
 */
#include "thread/world.h"

#include "os/clock.h"
#include "os/log.h"
#include "os/options.h"
#include "os/section.h"
#include "os/signal.h"
#include "os/syscall.h"
#include "os/tasks.h"
#include "thread/adopt.h"
#include "thread/reach.h"
#include "thread/thread.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

enum {
    HOLD_PATIENCE_MILLISECONDS = 200,
    LOOK = 3000000, /* nanoseconds without any answer until the awaited thread is looked at */
    MOST_ROUNDS = 1000,
    MOST_LOOKS = 16 /* at silent threads, of which there may be thousands, with a lock held */
};

void (*world_foreign_signal_hook)(int number, void *info, void *context);
void (*world_asked_hook)(struct thread *thread);

static int stop_signal, installed_signal;
static volatile unsigned epoch; /* odd while stopping or stopped; the collecting thread, release */
static volatile unsigned stirred; /* counts acknowledgements, to be slept on; any thread */

static volatile unsigned plain_sent; /* 1: such a signal is on its way; see send_plain */

/* Met since the last stop or asking began; with the registry's lock. */
static volatile bool queue_is_full;

int world_signal(void) {
    if (stop_signal == 0)
        stop_signal = options.signal ? (int)options.signal : signal_choose(SIGRTMAX);
    return stop_signal;
}

bool world_signal_installed(void) { return installed_signal != 0; }

void world_use_signal(int number) {
    if (installed_signal == 0)
        stop_signal = number;
}

void world_avoid_signal(int number) {
    if (number == stop_signal && number != installed_signal)
        stop_signal = signal_choose(number);
}

static unsigned state_word(unsigned stop, enum thread_state state) {
    return stop * THREAD_STATES + state;
}

/* Moves the record from one state to another within the same stop. */
static bool exchange_state(struct thread *thread, unsigned word, enum thread_state state) {
    unsigned next = word / THREAD_STATES * THREAD_STATES + state;
    return AO_int_compare_and_swap_full(&thread->state, word, next);
}

static void tell_stopper(void) {
    AO_int_fetch_and_add1_full(&stirred);
    park_wake(&stirred, INT_MAX);
}

static bool is_stop(unsigned seen, unsigned stop) {
    return seen % (UINT_MAX / THREAD_STATES + 1) == stop;
}

/* False when the thread is not to be stopped. */
static bool stop_here(struct thread *thread) {
    unsigned word = AO_int_load_acquire(&thread->state);
    if (word % THREAD_STATES != THREAD_STOPPING || !exchange_state(thread, word, THREAD_STOPPED))
        return false;
    unsigned stop = word / THREAD_STATES, seen;
    tell_stopper();
    while (is_stop(seen = AO_int_load_acquire(&epoch), stop))
        park_wait(&epoch, seen, -1);
    return true;
}

static void rest(struct thread *thread, const void *context) {
    world_freeze(thread, context);
    while (AO_int_load_acquire(&thread->suspended))
        park_wait(&thread->suspended, 1, -1);
    world_thaw(thread);
}

/* While the stopper waits for this thread it keeps the registry as it is. At other times a record
 * may be overlooked, which is no harm: nothing is wanted of it. */
static struct thread *own_record(void) {
    int tid = tasks_self();
    struct thread *thread = thread_first();
    while (thread && thread->tid != tid)
        thread = thread->next;
    return thread;
}

/* True for one caller. */
static bool take_plain(void) { return AO_int_compare_and_swap_full(&plain_sent, 1, 0); }

/* Whether the signal is one of ours, and whose record it is about; that may be nobody's. */
static bool is_ours(const siginfo_t *info, struct thread **thread) {
    *thread = signal_word(info);
    if (thread_is_record(*thread))
        return true;
    if (!signal_is_plain(info) || !take_plain())
        return false;
    *thread = own_record();
    if (*thread == NULL || thread_state(*thread) != THREAD_STOPPING)
        tell_stopper();
    return true;
}

/* Uses nothing thread-local: the thread may have been made by raw clone, with no TLS of its own. */
static void stop_handler(int number, siginfo_t *info, void *context) {
    struct thread *thread;
    if (!is_ours(info, &thread)) {
        if (world_foreign_signal_hook)
            world_foreign_signal_hook(number, info, context);
        return;
    }
    if (thread == NULL)
        return;
    if (thread->tid == tasks_self()) {
        thread->context = context;
        thread->stack_pointer = signal_stack_pointer(context);
        registers_note_bases(thread->segment_bases);
        if (!stop_here(thread) && world_asked_hook)
            world_asked_hook(thread);
        if (AO_int_load_acquire(&thread->suspended))
            rest(thread, context);
    }
    if (signal_broke_call(context))
        thread->call_broken = true;
    else if (signal_cut_call(context))
        thread->call_cut = true;
}

void world_freeze(struct thread *thread, const void *context) {
    thread->context = context;
    registers_note_bases(thread->segment_bases);
    for (;;) {
        unsigned word = AO_int_load_acquire(&thread->state);
        bool stopping = word % THREAD_STATES == THREAD_STOPPING;
        if (!exchange_state(thread, word, stopping ? THREAD_HELD : THREAD_FROZEN))
            continue;
        if (stopping)
            tell_stopper();
        return;
    }
}

void world_thaw(struct thread *thread) {
    for (;;) {
        unsigned seen = AO_int_load_acquire(&epoch);
        unsigned word = AO_int_load_acquire(&thread->state);
        if (word % THREAD_STATES != THREAD_HELD) {
            if (exchange_state(thread, word, THREAD_RUNNING))
                return;
        } else {
            park_wait(&epoch, seen, -1);
        }
    }
}

static bool install_handler(void) {
    int number = world_signal();
    if (number == installed_signal && number)
        return true;
    if (number == 0) {
        log_once("every real-time signal is taken by the program: no collection is possible");
        return false;
    }
    registers_prepare();
    section_let_in(number);
    installed_signal = number;
    return signal_install(number, stop_handler);
}

/* How many threads are about to become another program: each adds itself with the registry's lock,
 * with which all signals are sent but those that a thread sends itself, and takes itself away again
 * where it did not. */
static volatile unsigned holders;

/* What waits for the process, and not for one of its threads, would wait for the next program. */
static void withdraw_plain(void) {
    if (AO_int_load(&plain_sent) == 0)
        return;
    signal_set ours = (signal_set)1 << (installed_signal - 1);
    struct timespec none = {0, 0};
    if (system_call(SYS_rt_sigtimedwait, &ours, 0, &none, sizeof ours) == installed_signal)
        take_plain();
}

bool world_hold_signals(void) {
    if (!lock_take_within(&thread_registry_lock, HOLD_PATIENCE_MILLISECONDS))
        return false;
    AO_int_fetch_and_add1_full(&holders);
    lock_give(&thread_registry_lock);
    withdraw_plain();
    return true;
}

void world_release_signals(void) { AO_int_fetch_and_sub1_full(&holders); }

void world_after_fork(void) {
    AO_int_store(&holders, 0);
    AO_int_store(&plain_sent, 0);
}

/* One at a time, because the kernel would make one of two. The thread named need not be the one
 * that takes it; who waits for that one sends again when it was taken. */
static bool send_plain(struct thread *thread) {
    queue_is_full = true;
    if (!AO_int_compare_and_swap_full(&plain_sent, 0, 1))
        return true;
    int result = signal_send_plain(thread->tid, installed_signal);
    if (result != 0)
        AO_int_store_full(&plain_sent, 0);
    return result == 0 || result == -ESRCH;
}

/* Sends the signal; a thread that the kernel does not know any more is gone. False when it cannot
 * be sent, as during an exec. */
static bool send_signal(struct thread *thread) {
    if (AO_int_load(&holders) > 0)
        return false;
    int result = signal_send(thread->tid, installed_signal, thread);
    if (result == -ESRCH)
        AO_int_store(&thread->state, THREAD_GONE);
    if (result == -EAGAIN)
        return send_plain(thread);
    return result == 0 || result == -ESRCH;
}

static bool stop_thread(struct thread *thread) {
    unsigned stop = AO_int_load(&epoch);
    for (;;) {
        unsigned word = AO_int_load_acquire(&thread->state);
        enum thread_state state = word % THREAD_STATES;
        if (state != THREAD_RUNNING && state != THREAD_FROZEN)
            return true;
        enum thread_state next = state == THREAD_RUNNING ? THREAD_STOPPING : THREAD_HELD;
        if (!AO_int_compare_and_swap_full(&thread->state, word, state_word(stop, next)))
            continue;
        return state != THREAD_RUNNING || send_signal(thread);
    }
}

static bool stop_known(void) {
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (!stop_thread(thread))
            return false;
    return true;
}

bool world_can_stop(void) {
    if (!install_handler())
        return false;
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->unreachable && thread_state(thread) == THREAD_RUNNING &&
            !reach_again(thread, installed_signal))
            return false;
    return true;
}

static void count_as_gone(struct thread *thread) {
    unsigned word = AO_int_load(&thread->state);
    if (word % THREAD_STATES == THREAD_STOPPING)
        exchange_state(thread, word, THREAD_GONE);
}

static enum world_answer wait_for(struct thread *thread, long long limit) {
    struct reach_looks looks = {0};
    for (;;) {
        unsigned seen = AO_int_load_acquire(&stirred);
        if (thread_state(thread) != THREAD_STOPPING)
            return WORLD_STOPPED;
        if (queue_is_full)
            send_plain(thread);
        park_wait(&stirred, seen, LOOK);
        enum reach reach = REACH_LATE;
        if (AO_int_load(&stirred) == seen)
            reach = reach_look(thread, installed_signal, !queue_is_full, &looks);
        if (reach == REACH_GONE)
            count_as_gone(thread);
        bool answers = thread_state(thread) != THREAD_STOPPING;
        if (!answers && reach == REACH_NONE)
            return WORLD_OUT_OF_REACH;
        if (!answers && clock_nanoseconds() > limit)
            return WORLD_LATE;
    }
}

static enum world_answer wait_for_all(long long limit) {
    enum world_answer answer = WORLD_STOPPED;
    struct thread *thread = thread_first();
    for (; thread && answer == WORLD_STOPPED; thread = thread->next)
        answer = wait_for(thread, limit);
    return answer;
}

/* Stops everybody known, then looks whether the kernel knows more, until it does not. */
static enum world_answer stop_everybody(long long limit) {
    struct adoption adoption;
    adopt_begin(&adoption);
    for (int round = 0; round < MOST_ROUNDS; round++) {
        enum world_answer answer = stop_known() ? wait_for_all(limit) : WORLD_OUT_OF_REACH;
        if (answer != WORLD_STOPPED)
            return answer;
        switch (adopt_missing(&adoption)) {
        case ADOPT_COMPLETE:
            return WORLD_STOPPED;
        case ADOPT_FAILED:
            return WORLD_OUT_OF_REACH;
        case ADOPT_AGAIN:
            break;
        }
    }
    return WORLD_LATE;
}

void world_admit(void) {
    unsigned long set = 1ul << (world_signal() - 1);
    if (world_signal())
        system_call(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, 0, sizeof set);
}

enum world_answer world_stop(long long budget) {
    if (!world_can_stop())
        return WORLD_OUT_OF_REACH;
    queue_is_full = false;
    AO_int_fetch_and_add1_full(&epoch);
    enum world_answer answer = stop_everybody(clock_nanoseconds() + budget);
    if (answer != WORLD_STOPPED)
        world_start();
    return answer;
}

/* What the record becomes again, also when the stop was given up before the thread had stopped. */
static void start_thread(struct thread *thread) {
    for (;;) {
        unsigned word = AO_int_load_acquire(&thread->state);
        enum thread_state state = word % THREAD_STATES;
        if (state != THREAD_STOPPED && state != THREAD_STOPPING && state != THREAD_HELD)
            return;
        if (exchange_state(thread, word, state == THREAD_HELD ? THREAD_FROZEN : THREAD_RUNNING))
            return;
    }
}

/* Whoever is woken may put the caller off its processor at once, so the waking itself counts by
 * the caller's own time. */
long long world_start(void) {
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        start_thread(thread);
    long long begun = clock_nanoseconds(), used = clock_thread_nanoseconds();
    AO_int_fetch_and_add1_full(&epoch);
    park_wake(&epoch, INT_MAX);
    return begun + clock_thread_nanoseconds() - used;
}

void world_ask_stacks(bool all) {
    if (!install_handler())
        return;
    queue_is_full = false;
    for (struct thread *thread = thread_first(); thread; thread = thread->next) {
        enum thread_state state = thread_state(thread);
        bool asks = all || thread->outruns || AO_int_load(&thread->stack_due);
        if (!asks || (state != THREAD_RUNNING && state != THREAD_FROZEN))
            continue;
        thread->outruns = false;
        AO_int_store_full(&thread->stack_due, 1);
        if (state == THREAD_RUNNING && !thread->unreachable)
            send_signal(thread);
    }
}

static bool any_thread(bool (*holds)(const struct thread *thread)) {
    lock_take(&thread_registry_lock);
    const struct thread *thread = thread_first();
    while (thread && !holds(thread))
        thread = thread->next;
    lock_give(&thread_registry_lock);
    return thread != NULL;
}

static bool is_waited_for(const struct thread *thread) {
    return thread_state(thread) == THREAD_RUNNING && !thread->unreachable &&
           AO_int_load(&thread->stack_due);
}

static bool outruns(const struct thread *thread) { return thread->outruns; }

/* Nobody knows who has taken a signal without a word, and not all that were asked got one. */
bool world_waits_for_stacks(void) { return !queue_is_full && any_thread(is_waited_for); }
void world_look_at_silent(void) {
    int looks = 0;
    lock_take(&thread_registry_lock);
    for (struct thread *thread = thread_first(); thread && looks < MOST_LOOKS;
         thread = thread->next)
        if (is_waited_for(thread)) {
            reach_glance(thread, installed_signal);
            looks++;
        }
    lock_give(&thread_registry_lock);
}

bool world_is_outrun(void) { return any_thread(outruns); }

void world_suspend(struct thread *thread) {
    AO_int_store_full(&thread->suspended, 1);
    if (!install_handler() || !send_signal(thread))
        AO_int_store(&thread->suspended, 0);
}

void world_resume(struct thread *thread) {
    AO_int_store_full(&thread->suspended, 0);
    park_wake(&thread->suspended, INT_MAX);
}

bool world_is_suspended(const struct thread *thread) {
    enum thread_state state = thread_state(thread);
    return AO_int_load(&thread->suspended) && (state == THREAD_FROZEN || state == THREAD_HELD);
}

bool world_ask_self(struct thread *thread) { return install_handler() && send_signal(thread); }
