/* The conductor: a cycle from its first step to its last.
 *
 * Begin (finish the last sweep, swap the colours, track written pages, list the roots), mark in
 * rounds while the program runs, each round after the first over what was written meanwhile, stop
 * the world once for the rest, settle, sweep lazily. Where written pages cannot be tracked the
 * whole mark runs in the stop. A step is conducted by whoever completed the one before: a worker,
 * or an allocating thread on its alternate stack. One conductor at a time, under the cycle's lock.
 *
 * Callers hold no lock of ours. A cycle is impossible in the child of a vfork or a raw fork, in a
 * thread that has left, before cycle_enable, and when the roots cannot be known; then nothing
 * happens and nothing is reclaimed.
 */
#ifndef TITHE_CYCLE_CYCLE_H
#define TITHE_CYCLE_CYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assist_live;

struct marker;

enum cycle_trigger { CYCLE_PACED, CYCLE_FORCED, CYCLE_OUT_OF_MEMORY };

struct cycle_totals {
    size_t cycles, cancelled;
    long long stop_longest, stop_total;   /* nanoseconds */
    long long assist_total, worker_total; /* nanoseconds */
    size_t completed_by_assist;           /* rounds that an assist found complete */
};

/* Cycles are possible from now on: the library's constructor calls this. The quarantine begins, if
 * the options say so. */
void cycle_enable(void);

/* No cycle is possible any more in this process; one that goes on is ended first, and no file is
 * left open. */
void cycle_disable(void);

/* Whether that is so. */
bool cycle_is_ended(void);

/* Calls the function with the list of maps open (os/maps.h), on another stack than the calling
 * thread's, which may be small. False when that is impossible. */
bool cycle_with_maps(void (*function)(void *context), void *context);

/* Called before a cache is refilled or a large object taken, with the bytes that may be handed out:
 * begins a cycle if the pacer says so, and pays for the bytes while marking runs. */
void cycle_poll(size_t bytes);

/* Collects now: a cycle that begins after the call and is swept when it returns. False when
 * impossible. */
bool cycle_collect(enum cycle_trigger trigger);

/* The same as long as stop, called now and then on the caller's own stack, returns 0; when it does
 * not, this returns false, and a cycle that has begun is ended by others. */
bool cycle_collect_unless(int (*stop)(void));

/* Begins a cycle if none goes on, and leaves the rest of it to others. */
void cycle_start(void);

/* Collects as cycle_collect does, with the calling thread at work on the stack that ends at top, at
 * least 128 KiB. */
bool cycle_collect_on(uintptr_t top, struct assist_live live);

/* Asks for a whole cycle and returns its number at once; workers conduct it, or the next threads
 * that allocate. Any thread, the collector's own too. The others tell what has become of it. */
unsigned cycle_request(void);
bool cycle_has_ended(unsigned number);
bool cycle_was_cancelled(unsigned number);

/* Opens files and makes workers now, so that a request needs no thread of the program's. */
void cycle_prepare(void);

/* Does a piece of the work of the cycle that goes on, if any. True while there is more. */
bool cycle_help(void);

struct cycle_totals cycle_totals(void);

/* What the floors above do in a cycle; each may be NULL. The
 * conductor calls them, in this order, under the cycle's lock, on a worker's stack or on the
 * alternate stack of a frozen thread, all signals blocked. Between stopped and starting the world
 * is stopped and the heap locked. A cycle that has to try its stop again calls from lock on again.
 */
struct cycle_hooks {
    bool (*allowed)(enum cycle_trigger trigger); /* asked of a cycle that is due, or that memory is
                                                    wanting for, by the allocating thread */
    void (*begun)(void);
    void (*lock)(void); /* the locks that nobody may hold in a stop or a fork */
    void (*stopping)(void);
    void (*stopped)(void);
    void (*push_roots)(struct marker *marker); /* adds to what is marked */
    void (*marked)(struct marker *marker);     /* what is white is dead unless this marks it, and
                                                  drains that (mark/drain.h) */
    void (*starting)(void);
    void (*started)(void);
    void (*unlock)(void);
    void (*ended)(bool done);
};

extern struct cycle_hooks cycle_hooks;

/* Sets all of them, between two steps of a cycle. */
void cycle_set_hooks(struct cycle_hooks hooks);

/* Who looks on, beside the hooks and at the same points; each may be NULL. Set before there are
 * cycles. */
struct cycle_watcher {
    bool (*allowed)(void); /* a cycle is due by the size of the heap */
    void (*push_roots)(struct marker *marker);
    void (*marked)(struct marker *marker); /* after the hook */
    void (*ended)(bool done);
};

extern struct cycle_watcher cycle_watcher;

/* From now on workers only mark and sweep: hooks and mark procedures may be the program's own code,
 * which wants a thread of the program. */
void cycle_conduct_in_program(void);

/* Calls the function while nothing marks and no cycle can begin; one that goes on is ended first.
 */
void cycle_while_idle(void (*function)(void *context), void *context);

/* For a thread that is about to end the process, perhaps in a signal handler that has interrupted
 * its own allocation: false when a lock of the heap's was not free for some time, so that a cycle
 * by this thread would wait for ever. */
bool cycle_may_lock(void);

/* Stops all threads but the calling one, and keeps what a stop holds, until the other is called by
 * the same thread. It may not allocate meanwhile. */
void cycle_stop_world(void);
void cycle_start_world(void);

/* Brings the thread in which pthread_self is this to rest, when it holds no lock of ours, until
 * world_resume. The calling thread may rest itself. False when there is no such thread, or it
 * cannot be stopped. */
bool cycle_suspend(uintptr_t handle);

/* Around a fork: no lock of the collector's is held by another thread. */
void cycle_before_fork(void);
void cycle_after_fork(bool child);

/* Calls a hook that is set. */
#define TELL(hook, ...)                                                                            \
    do {                                                                                           \
        if (cycle_hooks.hook)                                                                      \
            cycle_hooks.hook(__VA_ARGS__);                                                         \
    } while (0)

#endif
