/* The order in which locks are taken, and the witness that looks at it.
 *
 * libc's locks come before all of these: nothing of libc's that takes one is called with a lock of
 * ours. doc/protocols.md says what each of them guards.
 *
 * Configured with --enable-ranks, the witness keeps what each thread holds, and aborts at a lock
 * that is taken out of order, or twice, or where a handler of the program's could run and find it
 * held: outside of a section, or on another stack than the section's with a signal unblocked. In
 * other builds all of this is nothing.
 */
#ifndef TITHE_OS_RANKS_H
#define TITHE_OS_RANKS_H

enum rank {
    RANK_FORK,        /* fork handlers are not being registered; before libc's locks */
    RANK_START,       /* of libgc's own beginning */
    RANK_CHECK,       /* leak checks, and the end of a trial */
    RANK_CYCLE,       /* the steps of a cycle */
    RANK_READERS,     /* who reads under libgc's allocation lock */
    RANK_ALLOCATION,  /* libgc's allocation lock: links, finalizers, roots */
    RANK_WORKERS,     /* making and dismissing them */
    RANK_REGISTRY,    /* the threads; nobody is sent a stop signal without it */
    RANK_SETS,        /* the spans of a class, one lock each */
    RANK_NOTES,       /* rows of notes */
    RANK_PAGES,       /* free and used pages */
    RANK_CLOSED,      /* memory that the program has closed */
    RANK_SHAPES,      /* layouts of objects */
    RANK_FOUND,       /* mark procedures that wait */
    RANK_QUEUE,       /* grey spans */
    RANK_JOBS,        /* roots and pages to be scanned */
    RANK_CREDIT,      /* parked threads */
    RANK_DESCRIPTORS, /* free descriptors of spans */
    RANK_HEAP_START,  /* the reservation */
    RANK_METADATA,    /* memory for all these */
    RANK_KERNEL_HELD, /* what only the kernel holds */
    RANK_PRINTING,    /* lists that are being written out */
    RANKS
};

#ifdef TITHE_RANKS

/* Aborts if the calling thread may not take it now. */
void rank_expect(const void *lock, enum rank rank);

/* It has it now, and has it no more. */
void rank_push(const void *lock, enum rank rank);
void rank_pop(const void *lock);

/* It holds nothing: what it knows is a copy of another thread's. */
void rank_forget_all(void);

/* Before a function of libc's that takes locks, and before code of the program's. */
void rank_expect_none(const char *what);

#else

static inline void rank_expect(const void *lock, enum rank rank) { (void)lock, (void)rank; }
static inline void rank_push(const void *lock, enum rank rank) { (void)lock, (void)rank; }
static inline void rank_pop(const void *lock) { (void)lock; }
static inline void rank_forget_all(void) {}
static inline void rank_expect_none(const char *what) { (void)what; }

#endif
#endif
