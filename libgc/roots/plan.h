/* From parts of maps to jobs: what of a part is to be read, now or later.
 *
 * While the program runs, a part is read whole and its writing tracked; in the stop only what was
 * written since is read, where that is known. The conductor's alone.
 */
#ifndef TITHE_ROOTS_PLAN_H
#define TITHE_ROOTS_PLAN_H

#include "mark/scan.h"
#include "roots/roots.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of a map that is one kind of memory. */
struct part {
    uintptr_t start, end;
    enum scan_mode mode;
    bool private_only;    /* pages that still equal their file hold nothing of the program's */
    bool safe;            /* may be read where it is: nobody takes it away or closes it to us */
    bool cached;          /* kept beside the page table */
    bool closed;          /* to reads of the program's */
    bool secret;          /* nobody reads it but our own loads, and these only in the stop */
    int protection;       /* of a closed part, as in mprotect(2) */
    bool distrusted;      /* tracked, but not all of it could be read */
    bool tried, readable; /* a closed part was tried, and memory_read reads it */
};

/* Takes the room that remembering parts needs. False when out of memory. */
bool plan_make_room(void);

/* Forgets the last plan. ROOTS_TRACKED also forgets what was tracked. */
void plan_begin(enum roots_scope scope);

/* Adds jobs for a part, as the scope has it. Parts come in the order of their addresses. */
void plan_part(struct part part);

/* Adds jobs for all of its resident pages, or for all of its pages without asking. */
void plan_whole(struct part part);
void plan_unasked(struct part part);

/* After the last part, or the last of some that come late. False when not all jobs could be added;
 * unknown_reason tells what cannot be read. */
bool plan_end(void);

/* Bytes that jobs were added for. */
size_t plan_bytes(void);

#endif
