/* The quarantine: what the program frees is not handed out again before a mark has shown that
 * nothing leads to it any more.
 *
 * An option, against pointers that dangle: whoever uses a freed object through one still finds what
 * he left there, or what it was filled with, and never another object. A quarantined object is
 * neither allocated nor free (object.h). Marks do not read it, so nothing is kept by it; one that a
 * word leads to stays for another mark, and the others are free after the sweep. Its bytes count as
 * live, so that freeing brings the next mark nearer as allocating does.
 *
 * With the quarantine every free takes the slow way, by the page table, and the lock of the set.
 */
#ifndef TITHE_HEAP_QUARANTINE_H
#define TITHE_HEAP_QUARANTINE_H

#include "heap/span.h"

#include <atomic_ops.h>
#include <stdbool.h>
#include <stddef.h>

/* What freed objects are filled with where that is wanted. A word of it is no address, on any
 * machine we run on. */
enum { QUARANTINE_FILL = 0xdf };

struct quarantine {
    volatile AO_t bytes, blocks;                 /* held back now */
    volatile AO_t most_bytes;                    /* racy maximum */
    volatile AO_t taken_bytes, taken_blocks;     /* since the start */
    volatile AO_t reached_bytes, reached_blocks; /* by the last mark that ended */
    volatile AO_t marks;                         /* that have ended */
};

extern struct quarantine quarantine;

/* From now on freed objects are quarantined, and filled if fill says so. Without locks. */
void quarantine_start(bool fill);
extern volatile unsigned char quarantine_state;
static inline bool quarantine_is_on(void) { return AO_char_load(&quarantine_state) != 0; }

/* Takes a freed object in; address is what the program passed, and must be the start of an
 * allocated object of the span. Without locks. */
void quarantine_take(struct span *span, void *address);

/* A marker has found a word that leads to a quarantined object which was white: true if it is the
 * first to tell. */
bool quarantine_reach(volatile unsigned char *state, size_t bytes);

/* A mark begins, with all sets locked; it has ended, with the world stopped: returns how many bytes
 * the sweep will free. */
void quarantine_mark_begins(void);
size_t quarantine_mark_ended(void);

#endif
