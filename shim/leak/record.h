/* Recording: what leak hunting notes of each block when the program takes it, and clears when it is
 * given back.
 *
 * The notes (heap/notes.h) hold the number of the allocation stack, the time, and the size asked
 * for. It begins with the first allocation for which the environment can be read, before
 * constructors; if no leaks are hunted, malloc pays for a test of one byte.
 */
#ifndef TITHE_SHIM_LEAK_RECORD_H
#define TITHE_SHIM_LEAK_RECORD_H

#include "heap/notes.h"

#include <atomic_ops.h>
#include <stdbool.h>
#include <stddef.h>

/* While sampled, only blocks whose stack was taken have notes, and nothing is cleared. */
enum record_state { RECORD_OFF, RECORD_UNDECIDED, RECORD_ON, RECORD_SAMPLED };

/* Written once, by the first thread. */
extern volatile unsigned char record_state;

/* Whether malloc and its kin must take the way through the functions below. */
static inline bool record_may_be_on(void) {
    return __builtin_expect(AO_char_load(&record_state) != RECORD_OFF, 0);
}
static inline bool record_is_on(void) { return AO_char_load(&record_state) >= RECORD_ON; }
static inline bool record_is_sampled(void) { return AO_char_load(&record_state) == RECORD_SAMPLED; }

/* What note.stack holds: 0 for what is no block of the program's, else a stack's number plus these.
 */
enum {
    NOTE_NOBODY = 0,
    NOTE_FIRST_STACK = 1,
    NOTE_GLIMPSED = 1u << 25, /* the last mark has reached it by a word that was no proof yet */
    NOTE_DEAD = 1u << 26, /* a cycle of a trial has found it dead; the time is the fingerprint */
    NOTE_RETURNED = 1u << 27, /* and it came back, which was told */
    NOTE_ECHOED = 1u << 28,   /* when it was last found dead, a dead part of a stack led to it */
    NOTE_LISTED = 1u << 29, /* a check has found it lost, and nobody has freed and taken it since */
    NOTE_FREED = 1u << 30,  /* it was, and is or was in quarantine; the time is the stack of that */
    NOTE_IGNORED = 1u << 31
};

/* 0 where the stack is not known. */
static inline unsigned note_stack(const struct note *note) {
    unsigned stack = note->stack & (NOTE_GLIMPSED - 1);
    return stack ? stack - NOTE_FIRST_STACK : 0;
}

/* Where a block in quarantine was freed. */
static inline unsigned record_freed_stack(const struct note *note) { return note->time; }

/* Takes the options into account; called by the constructor in case that nothing was allocated. */
void record_decide(void);

/* Malloc's family with notes. Not cleared blocks are cleared as well, so that nothing dead in them
 * hides a leak, unless blocks are sampled. NULL when out of memory. */
void *record_malloc(size_t bytes);
void *record_calloc(size_t bytes);
void *record_aligned(size_t alignment, size_t bytes);
void *record_realloc(void *object, size_t bytes);
void record_free(void *object);

/* The program asks for the size of a block. */
void record_asked(const void *object);

/* Frees a lost block, which nothing leads to. Also by a thread of the collector's. */
void record_collect(struct object object, struct note *note);

/* Milliseconds since recording began. */
unsigned record_time(void);

/* In this thread, blocks are ignored as long as it was begun more often than ended. */
void record_ignore_begin(void);
void record_ignore_end(void);

/* True once some block is to be ignored. */
bool record_has_ignored(void);

/* Has a block that the address lies in ignored, and what it leads to. False when it is in none. */
bool record_ignore(const void *address);

/* True if an allocated object is a block that may be reported. In the child of a fork, blocks of
 * the parent's are nobody's leak; where blocks are sampled, every object is a block but for those
 * that may be libgc's. */
bool record_is_block(const struct note *note);

/* Bytes asked for, where that is known. */
size_t record_bytes(struct object object, const struct note *note);

/* In the child of a fork. */
void record_after_fork(void);

#endif
