/* Stop and start by signal; see world.h.
 *
 * The collecting thread moves a record to stopping and sends the signal; the handler publishes
 * where the thread stands, moves the record to stopped and sleeps until the epoch changes. That
 * exchange is the acknowledgement, and it carries the epoch, so that a handler which was delayed
 * over the end of one stop into the next knows which one it serves: a signal that arrives after its
 * stop was cancelled finds the record running and returns at once. Neither side waits for the other
 * to leave.
 */
#include "thread/world.h"

#include "os/log.h"
#include "os/options.h"
#include "os/signal.h"
#include "os/syscall.h"
#include "os/tasks.h"
#include "thread/thread.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

enum { PATIENCE_MILLISECONDS = 20, MOST_ROUNDS = 1000 };

void (*world_foreign_signal_hook)(int number, void *info, void *context);

static int stop_signal, installed_signal;
static volatile unsigned epoch; /* odd while stopping or stopped; the collecting thread, release */
static volatile unsigned stirred; /* counts acknowledgements, to be slept on; any thread */

int world_signal(void) {
    if (stop_signal == 0)
        stop_signal = options.signal ? (int)options.signal : signal_choose(SIGRTMAX);
    return stop_signal;
}

bool world_signal_installed(void) { return installed_signal != 0; }

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

static void stop_here(struct thread *thread) {
    unsigned word = AO_int_load_acquire(&thread->state);
    if (word % THREAD_STATES != THREAD_STOPPING || !exchange_state(thread, word, THREAD_STOPPED))
        return;
    unsigned stop = word / THREAD_STATES, seen;
    AO_int_fetch_and_add1_full(&stirred);
    park_wake(&stirred, INT_MAX);
    while ((seen = AO_int_load_acquire(&epoch)) % (UINT_MAX / THREAD_STATES + 1) == stop)
        park_wait(&epoch, seen, -1);
}

/* Uses nothing thread-local: the thread may have been made by raw clone, with no TLS of its own. */
static void stop_handler(int number, siginfo_t *info, void *context) {
    struct thread *thread = signal_word(info);
    if (thread == NULL) {
        if (world_foreign_signal_hook)
            world_foreign_signal_hook(number, info, context);
        return;
    }
    if (thread->tid == tasks_self()) {
        thread->context = context;
        thread->stack_pointer = signal_stack_pointer(context);
        stop_here(thread);
    }
    if (signal_broke_call(context))
        thread->call_broken = true;
}

static bool install_handler(void) {
    int number = world_signal();
    if (number == installed_signal && number)
        return true;
    if (number == 0) {
        log_once("every real-time signal is taken by the program: no collection is possible");
        return false;
    }
    installed_signal = number;
    return signal_install(number, stop_handler);
}

static void send_stop(struct thread *thread) {
    AO_int_store_release(&thread->state, state_word(AO_int_load(&epoch), THREAD_STOPPING));
    if (signal_send(thread->tid, installed_signal, thread) == -ESRCH)
        AO_int_store(&thread->state, THREAD_GONE);
}

static void send_stop_to_running(int self) {
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->tid != self && thread_state(thread) == THREAD_RUNNING)
            send_stop(thread);
}

/* False when the thread is in an uninterruptible call, so that waiting for it has no end in sight.
 */
static bool check_late(struct thread *thread) {
    unsigned word = AO_int_load(&thread->state);
    char state = tasks_state(thread->tid);
    if (word % THREAD_STATES == THREAD_STOPPING && (state == 0 || state == 'Z' || state == 'X'))
        exchange_state(thread, word, THREAD_GONE);
    return state != 'D';
}

static long long now_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static bool wait_for(struct thread *thread, long long limit) {
    for (;;) {
        unsigned seen = AO_int_load_acquire(&stirred);
        if (thread_state(thread) != THREAD_STOPPING)
            return true;
        park_wait(&stirred, seen, PATIENCE_MILLISECONDS * 1000000ll);
        if (AO_int_load(&stirred) == seen && (!check_late(thread) || now_milliseconds() > limit))
            return thread_state(thread) != THREAD_STOPPING;
    }
}

static bool wait_for_all(void) {
    long long limit = now_milliseconds() + options.stop_timeout;
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (!wait_for(thread, limit))
            return false;
    return true;
}

struct adoption {
    int self;
    unsigned zombies, adopted;
};

static bool adopt_unknown(int tid, void *context) {
    struct adoption *adoption = context;
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->tid == tid)
            return true;
    char state = tasks_state(tid);
    if (state == 0 || state == 'Z' || state == 'X') {
        adoption->zombies++;
        return true;
    }
    if (tid == adoption->self)
        return true;
    adoption->adopted++;
    return thread_adopt(tid) != NULL;
}

static unsigned count_present(int self) {
    unsigned present = 0;
    bool self_seen = false;
    for (struct thread *thread = thread_first(); thread; thread = thread->next) {
        present += thread_state(thread) != THREAD_GONE;
        self_seen |= thread->tid == self;
    }
    return present + !self_seen;
}

/* Stops everybody known, then looks whether the kernel knows more, until it does not. */
static bool stop_everybody(int self) {
    unsigned zombies = 0;
    for (int round = 0; round < MOST_ROUNDS; round++) {
        send_stop_to_running(self);
        if (!wait_for_all())
            return false;
        int count = tasks_count();
        if (count >= 0 && (unsigned)count == count_present(self) + zombies)
            return true;
        struct adoption adoption = {.self = self};
        if (!tasks_each(adopt_unknown, &adoption))
            return false;
        zombies = adoption.zombies;
        if (count < 0 && adoption.adopted == 0)
            return true;
    }
    return false;
}

bool world_stop(void) {
    if (!install_handler())
        return false;
    AO_int_fetch_and_add1_full(&epoch);
    if (stop_everybody(tasks_self()))
        return true;
    world_start();
    return false;
}

void world_start(void) {
    int self = tasks_self();
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread_state(thread) != THREAD_GONE && thread->tid != self)
            AO_int_store(&thread->state, THREAD_RUNNING);
    AO_int_fetch_and_add1_full(&epoch);
    park_wake(&epoch, INT_MAX);
}
