/* Jobs: the work of marking that is not in the heap's own queue: root memory to be read, and
 * written pages to be read again.
 *
 * The conductor adds jobs and then opens the marking; any marker takes the oldest, or a piece of
 * it, and runs it, which may add others. First in, first out, of unlimited length. One lock, a
 * leaf.
 */
#ifndef TITHE_MARK_JOBS_H
#define TITHE_MARK_JOBS_H

#include "mark/scan.h"

#include <stdbool.h>
#include <stdint.h>

enum job_kind {
    JOB_ROOTS,           /* foreign memory, all of it */
    JOB_SAFE_ROOTS,      /* the same, but it will neither vanish nor be closed to us */
    JOB_WRITTEN_ROOTS,   /* foreign memory, the pages written since they were last taken */
    JOB_STRETCH,         /* many maps of foreign memory, for whoever fills rescan_stretch_hook */
    JOB_STRETCH_STOPPED, /* the same with the world stopped */
    JOB_WRITTEN_HEAP,    /* marked objects on the heap's pages written since they were last taken */
    JOB_HEAP_STOPPED, /* finds such pages with the world stopped, and adds jobs of the next kind */
    JOB_HEAP_PAGES    /* marked objects on the heap's pages, whether written or not */
};

struct job {
    uintptr_t start, end;
    enum job_kind kind;
    enum scan_mode mode; /* of root memory */
};

/* False when out of memory. */
bool jobs_add(struct job job);

/* Takes a job, or of a long one a piece that is soon done. */
bool jobs_take(struct job *job);

/* A glance; exact when nobody adds. */
bool jobs_are_left(void);

/* Forgets what is left: a mark was given up. */
void jobs_clear(void);

/* Around a fork. */
void jobs_lock(void);
void jobs_unlock(void);

#endif
