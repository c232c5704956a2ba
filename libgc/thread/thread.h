/* Threads the collector knows: each with a cache, and what stopping it needs.
 *
 * A thread registers itself at its first allocation; the shim also does so when a thread starts. It
 * leaves when its last destructor of thread-specific data has run, and may still allocate and free
 * afterwards, without a cache. Threads that never allocate are found when the world is stopped and
 * get a record for as long as they live. Records are metadata and are reused, never unmapped.
 */
#ifndef TITHE_THREAD_THREAD_H
#define TITHE_THREAD_THREAD_H

#include "heap/cache.h"
#include "os/park.h"
#include "os/registers.h"

#include <atomic_ops.h>
#include <stdbool.h>
#include <stdint.h>

enum thread_state {
    THREAD_RUNNING,   /* written by the collecting thread */
    THREAD_STOPPING,  /* written by the collecting thread before it sends the signal */
    THREAD_STOPPED,   /* written by the thread in its stop handler, release */
    THREAD_FROZEN,    /* written by the thread: its own stack rests while it works on another */
    THREAD_HELD,      /* frozen, and not to return to its own stack while the world is stopped */
    THREAD_GONE,      /* written by the collecting thread: the kernel knows it no more */
    THREAD_COLLECTS,  /* one of the collector's own, which is never stopped */
    THREAD_STATES = 8 /* a state word is the epoch of its stop times this, plus the state */
};

struct signal_stack;

struct thread {
    struct cache cache;          /* the owner's; empty limits for a thread that has none */
    const struct thread *record; /* itself, by which a record is known; see thread_is_record */
    int tid;
    bool has_cache;
    bool collects;           /* it is one of the collector's own */
    volatile unsigned state; /* a state word: which stop, and enum thread_state; see world.c */

    uintptr_t stack_low, stack_high;       /* bounds of its own stack; 0 when not known */
    uintptr_t altstack_low, altstack_high; /* the one we made; 0 while there is none */
    struct signal_stack *signal_stack;     /* the same for the kernel; the thread */
    unsigned altstack_asked; /* the number of cycles, when it last looked what the kernel has */
    bool program_altstack;   /* the kernel has one that the program set, by a bare system call */
    uintptr_t bare_low, bare_high; /* bounds of such a one, as last seen; the thread */

    volatile uintptr_t stack_pointer;         /* while stopped or frozen: where its frames begin */
    const void *volatile context;             /* while stopped by signal: its registers */
    uintptr_t segment_bases[REGISTERS_BASES]; /* the same; the thread */
    volatile unsigned suspended; /* 1: the program wants it to rest; under the registry's lock */
    uintptr_t handle;            /* what pthread_self tells in it; 0 when not known */
    uintptr_t stack_bottom;      /* what libgc's programs said it is; 0: they did not */
    bool unreachable;       /* by the stop signal, as was last found; see reach.h; the stopper */
    unsigned long switches; /* how often it had left its processor then; the stopper */

    /* 1 asks the thread to scan its own stack at the next safepoint: a signal that it was sent, an
     * assist. Set by the collecting thread; whoever sets it to 0 does the work. */
    volatile unsigned stack_due;

    /* It has freed what the mark had not reached yet, so that what hangs on that may now hang on
     * its stack alone. Set by the thread, cleared by the collecting thread when it asks. */
    volatile bool outruns;

    /* The rest is the assist's; see cycle/assist.h. */
    volatile bool assist_due;     /* the thread sent itself a signal in order to assist */
    long assist_bytes;            /* credit, or debt if negative; the thread */
    unsigned assist_cycle;        /* the cycle that assist_bytes is about; the thread */
    void *param;                  /* what an assist has to tell its thread; the thread */
    volatile unsigned paid;       /* a parked thread sleeps on it; see cycle/credit.c */
    long owed;                    /* work that a parked thread still owes; the credit's lock */
    struct thread *next_parked;   /* the credit's lock */
    long long assist_nanoseconds; /* spent on assists and not yet reported; the thread */
    void *look;                   /* what it wants to know of the list of maps; the thread */
    unsigned program_locks;       /* locks of ours that the program took itself; the thread */
    unsigned awaited;             /* the cycle whose end the thread waits for; the thread */

    /* Set by the stop handler when it broke a call that must go on; read and cleared by the wrapper
     * of that call in the same thread. */
    volatile bool call_broken;
    size_t freed_bytes;     /* by GC_free; the thread, read by anybody for a glance */
    volatile bool call_cut; /* the same for a call that ended early with a part of its work done */

    struct thread *next, *previous; /* registered threads; under the registry's lock */
    struct thread *next_in_chain;   /* those with an id, by that; the same */
};

/* The calling thread. Points to a thread without a cache before registration and after leaving, so
 * the fast paths need no test for either. */
extern __thread struct thread *thread_self __attribute__((tls_model("initial-exec")));

extern struct thread thread_absent, thread_left;

/* The calling thread's record, registering it if need be. &thread_left when it has left or cannot
 * be registered for lack of memory. */
struct thread *thread_current(void);

/* Ends the calling thread's registration: its cache goes back to the heap, and the kernel has no
 * signal stack for it any more. */
void thread_leave(void);

/* Registers a thread that has left once more. */
void thread_return(void);

/* Tells the bounds of the calling thread's own stack. */
void thread_set_stack(uintptr_t low, uintptr_t high);

/* Whether ours may take the place of a signal stack of the program's, because its calls and its
 * handlers are the shim's to mend. Set before a second thread exists. */
extern bool thread_covers_altstacks;

/* Gives the calling thread an alternate stack, and makes it the thread's signal stack. One that the
 * program gave the kernel by a bare system call stays there if it is large enough and no other
 * thread has it; then it is likely that the program installs its handlers like that, too. */
void thread_ensure_altstack(void);

/* The same, but whatever the program gave the kernel, and with all signals blocked. */
void thread_cover_altstack(void);

/* Whether this is a record of ours, whatever it is. Async-signal-safe. */
bool thread_is_record(const void *word);

static inline enum thread_state thread_state(const struct thread *thread) {
    return AO_int_load_acquire(&thread->state) % THREAD_STATES;
}

/* The registry: all threads, their lock, and how many there are. */
extern struct lock thread_registry_lock;
struct thread *thread_first(void);
unsigned thread_count(void);
unsigned thread_count_of_program(void); /* without the collector's own; a glance needs no lock */

/* With the registry's lock: the record of a thread by its id, the latest one if the id was used
 * before; NULL when there is none. Takes the same time however many there are. */
struct thread *thread_by_id(int tid);

/* With the registry's lock: the registered thread in which pthread_self is this; NULL when there is
 * none. */
struct thread *thread_by_handle(uintptr_t handle);

/* With the registry's lock: a record for a thread that did not register itself; NULL when out of
 * memory. */
struct thread *thread_adopt(int tid);

/* The same for a thread of the collector's, and its end. */
struct thread *thread_add_collector(void);
void thread_drop_collector(struct thread *thread);

/* With the registry's lock, no lock of the heap, and the world running: drops the records of
 * threads marked gone. */
void thread_drop_gone(void);

/* From now on no thread of this process is ever stopped again, and no system call is made that only
 * this would need: the program may have forbidden itself all that it does not need. */
void thread_end_stops(void);
bool thread_has_ended_stops(void);

/* Remembers which process the collector belongs to, and tells whether we are in it: the child of a
 * vfork or a raw fork runs with our memory or a copy of it, but without our threads. */
void thread_own_process(void);
bool thread_in_own_process(void); /* believed when stops have ended */

/* In the child of a fork: marks all threads gone but the calling one, which has a new id. */
void thread_after_fork(void);

/* Called by thread_current when a thread registers, for the floor that wants to know when it ends.
 * Set before a second thread exists. */
extern void (*thread_registered_hook)(void);

/* Called in a thread that is about to leave, before anything of it is given up. */
extern void (*thread_leaving_hook)(void);

#endif
