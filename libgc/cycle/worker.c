/* Making, running and ending workers; see worker.h. */
#include "cycle/worker.h"

#include "heap/metadata.h"
#include "mark/queue.h"
#include "os/limits.h"
#include "os/log.h"
#include "os/options.h"
#include "os/worker_thread.h"
#include "thread/thread.h"

enum { STACK_BYTES = 128 << 10, PROCESSORS_PER_WORKER = 4, NICER = 4 };

struct worker {
    struct thread *thread;
    uintptr_t block; /* its stack and thread-local memory; kept for the next one */
};

static struct worker workers[WORKERS_MOST];
static struct lock lock = LOCK_INITIALIZER; /* above the registry's */
static volatile unsigned count;             /* under the lock; read without it as a glance */
static volatile bool ending, refused;
static bool (*do_turn)(struct marker *marker);

unsigned worker_count(void) { return AO_int_load(&count); }

static void run(void *context) {
    _Alignas(16) unsigned char copy[SCAN_COPY_BYTES];
    struct marker marker = {.copy = copy};
    (void)context;
    worker_thread_describe("tithe-worker", NICER);
    while (!ending) {
        while (!ending && do_turn(&marker))
            continue;
        unsigned announcement = queue_announce();
        if (ending || do_turn(&marker))
            queue_withdraw();
        else
            queue_sleep(announcement, -1);
    }
}

/* The record is in the registry before anybody can find the thread in /proc, and stays until the
 * kernel has cleared the number. */
static bool worker_make(struct worker *worker) {
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

static unsigned wanted(void) {
    if (options.workers != WORKERS_AUTOMATIC)
        return options.workers;
    unsigned share = limits_processors() / PROCESSORS_PER_WORKER;
    return share < 1 ? 1 : share < WORKERS_MOST ? share : WORKERS_MOST;
}

unsigned worker_start(bool (*turn)(struct marker *marker)) {
    if (worker_count() > 0 || refused || wanted() == 0)
        return worker_count();
    lock_take(&lock);
    do_turn = turn;
    ending = false;
    while (count < wanted() && !refused) {
        refused = limits_filtered() || !worker_make(&workers[count]);
        if (refused)
            log_once("no thread of the collector's own can be made: allocating threads collect");
        else
            AO_int_store_release(&count, count + 1);
    }
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
    queue_stir();
    while (count > 0) {
        worker_join(&workers[count - 1]);
        AO_int_store_release(&count, count - 1);
    }
    lock_give(&lock);
}

void worker_after_fork(void) {
    lock_reset(&lock);
    AO_int_store(&count, 0);
    refused = false;
}
