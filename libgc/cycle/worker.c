/* Making, running and ending workers; see worker.h. */
#include "cycle/worker.h"

#include "cycle/phase.h"
#include "heap/metadata.h"
#include "mark/queue.h"
#include "os/log.h"
#include "os/options.h"
#include "os/permitted.h"
#include "os/processors.h"
#include "os/worker_thread.h"
#include "thread/thread.h"

#include <limits.h>

enum { STACK_BYTES = 128 << 10, PROCESSORS_PER_WORKER = 4, NICER = 4, MOST_IN_STOP = 4 };

struct worker {
    struct thread *thread;
    uintptr_t block; /* its stack and thread-local memory; kept for the next one */
};

static struct worker workers[WORKERS_MOST + MOST_IN_STOP];
static struct lock lock = LOCK_OF(RANK_WORKERS); /* above the registry's */
static volatile unsigned count, all;             /* workers, and helpers too; under the lock */
static volatile bool ending, refused;
static volatile unsigned stop_word; /* odd while helpers are called; the conductor */
static struct worker_turns turns;

unsigned worker_count(void) { return AO_int_load(&count); }

static void call_helpers(void) {
    AO_int_fetch_and_add1_full(&stop_word);
    if (all > count)
        park_wake(&stop_word, INT_MAX);
}

/* Nobody keeps the first worker off anything. A filter of the program's may have come since. */
void worker_call_helpers(void) {
    unsigned end = permitted(PERMITTED_THREADS) ? AO_int_load_acquire(&all) : 0;
    for (unsigned i = AO_int_load(&count); i < end; i++)
        worker_thread_keep_off(workers[i].thread->tid, workers[0].thread->tid);
    call_helpers();
}

void worker_release_helpers(void) {
    AO_int_fetch_and_add1_full(&stop_word);
    if (all > count)
        queue_stir(CREW_STOPPED);
}

static void run_worker(void *context) {
    _Alignas(16) unsigned char copy[SCAN_COPY_BYTES];
    struct marker marker = {.copy = copy};
    (void)context;
    worker_thread_settle("tithe-worker", NICER);
    while (!ending) {
        while (!ending && turns.work(&marker))
            continue;
        unsigned announcement = queue_announce(CREW_BESIDE);
        if (ending || turns.work(&marker))
            queue_withdraw(CREW_BESIDE);
        else
            queue_sleep(CREW_BESIDE, announcement, -1);
    }
}

/* Until somebody gives away what he has in hand, which he does when he sees this announcement, or
 * until the stop ends. */
static void wait_for_more(unsigned stop) {
    unsigned announcement = queue_announce(CREW_STOPPED);
    bool waits = phase_stays_dry() || phase_now() != PHASE_MARKING;
    if (waits && AO_int_load_acquire(&stop_word) == stop)
        queue_sleep(CREW_STOPPED, announcement, -1);
    else
        queue_withdraw(CREW_STOPPED);
}

static void run_helper(void *context) {
    _Alignas(16) unsigned char copy[SCAN_COPY_BYTES];
    struct marker marker = {.copy = copy};
    (void)context;
    worker_thread_settle("tithe-helper", 0);
    for (;;) {
        unsigned seen = AO_int_load_acquire(&stop_word); /* first: dismissing counts after ending */
        if (ending)
            return;
        if (seen % 2 == 0)
            park_wait(&stop_word, seen, -1);
        else if (!turns.help(&marker))
            wait_for_more(seen);
    }
}

/* The record is in the registry before anybody can find the thread in /proc, and stays until the
 * kernel has cleared the number. */
static bool worker_make(struct worker *worker, void (*run)(void *)) {
    if (worker->block == 0)
        worker->block = (uintptr_t)metadata_take(worker_thread_block_bytes(STACK_BYTES));
    if (worker->block == 0)
        return false;
    lock_take(&thread_registry_lock);
    worker->thread = thread_add_collector();
    bool made =
        worker->thread && worker_thread_start(worker->block, STACK_BYTES, run, NULL,
                                              (volatile unsigned *)&worker->thread->tid) == 0;
    if (worker->thread && !made)
        thread_drop_collector(worker->thread);
    lock_give(&thread_registry_lock);
    return made;
}

unsigned worker_wanted(void) {
    if (options.workers != WORKERS_AUTOMATIC)
        return options.workers;
    unsigned share = processors_count() / PROCESSORS_PER_WORKER;
    return share < 1 ? 1 : share < WORKERS_MOST ? share : WORKERS_MOST;
}

/* The conductor is one more at work in the stop. */
static unsigned wanted_in_all(void) {
    unsigned processors = processors_count(), workers_wanted = worker_wanted();
    unsigned in_stop = processors < MOST_IN_STOP ? processors : MOST_IN_STOP;
    return workers_wanted + (in_stop > 1 ? in_stop - 1 : 0);
}

unsigned worker_start(struct worker_turns wanted_turns) {
    if (worker_count() > 0 || refused || worker_wanted() == 0)
        return worker_count();
    lock_take(&lock);
    turns = wanted_turns;
    ending = false;
    while (all < wanted_in_all() && !refused) {
        bool works = all < worker_wanted();
        refused = !permitted(PERMITTED_THREADS) ||
                  !worker_make(&workers[all], works ? run_worker : run_helper);
        if (refused)
            break;
        if (works)
            AO_int_store_release(&count, all + 1);
        AO_int_store_release(&all, all + 1);
    }
    if (count == 0)
        log_once("no thread of the collector's own can be made: allocating threads collect");
    lock_give(&lock);
    return worker_count();
}

static void worker_join(struct worker *worker) {
    volatile unsigned *tid = (volatile unsigned *)&worker->thread->tid;
    unsigned seen;
    while ((seen = AO_int_load_acquire(tid)) != 0)
        park_wait_shared(tid, seen);
    lock_take(&thread_registry_lock);
    thread_drop_collector(worker->thread);
    lock_give(&thread_registry_lock);
}

void worker_dismiss(void) {
    lock_take(&lock);
    ending = true;
    queue_stir(CREW_BESIDE);
    call_helpers();
    worker_release_helpers();
    while (all > 0) {
        AO_int_store_release(&all, all - 1); /* first: the record is soon another thread's */
        worker_join(&workers[all]);
    }
    AO_int_store_release(&count, 0);
    lock_give(&lock);
}

void worker_after_fork(void) {
    lock_reset(&lock);
    AO_int_store(&count, 0);
    AO_int_store(&all, 0);
    AO_int_store(&stop_word, 0);
    refused = false;
}
