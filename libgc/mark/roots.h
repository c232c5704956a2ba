/* Roots: everything outside the heap that may hold a pointer into it.
 *
 * All readable memory of the process but our own, code on disk and devices: data segments, stacks
 * from the stack pointer up, thread blocks and TLS, anonymous maps private and shared, also ones
 * made read-only later; machine code in anonymous memory at every byte. Only resident pages are
 * read, and of a file's private map only those that no longer equal the file. Foreign memory is
 * copied out, so that its vanishing cannot crash the marker.
 *
 * While the program runs, its memory is put on the list of jobs and its writing is tracked; stacks
 * are left out, because each thread is asked to scan its own. With the world stopped, stacks and
 * registers are scanned, and of the rest what was written or cannot be tracked.
 *
 * The conductor calls, one at a time; it holds the registry's lock for what needs it.
 */
#ifndef TITHE_MARK_ROOTS_H
#define TITHE_MARK_ROOTS_H

#include "mark/scan.h"

#include <stdbool.h>
#include <stddef.h>

struct thread;

enum roots_scope {
    ROOTS_TRACKED, /* the program runs: everything but stacks, and tracks its writing from now on */
    ROOTS_WRITTEN, /* stopped: stacks, and what was written since or is not tracked */
    ROOTS_ALL      /* stopped: stacks and everything */
};

/* From now on only the data segments of programs and libraries, stacks, registers, and what is
 * added below are roots, as libgc has it: other memory of the program may hold hidden pointers. */
void roots_limit(void);

/* Adds or excludes a range of memory for all later marks. start and end are kept as they are.
 * What is excluded counts all the same while a thread's stack pointer lies there. False when there
 * are too many. Under the lock of whoever calls. */
bool roots_add(uintptr_t start, uintptr_t end);
bool roots_exclude(uintptr_t start, uintptr_t end);

/* Whether an address lies in what was added. */
bool roots_are_added(uintptr_t address);

/* True if the whole range is excluded. */
bool roots_are_excluded(uintptr_t start, uintptr_t end);

/* Removes what was added and lies wholly inside the range. */
void roots_remove(uintptr_t start, uintptr_t end);
void roots_clear_excluded(void);

/* Takes back the exclusion of just this range. */
void roots_include(uintptr_t start, uintptr_t end);

/* The same for what the conductor finds anew in each cycle, before its first plan: the data of
 * libraries that the program does not want to be looked at. */
bool roots_disregard(uintptr_t start, uintptr_t end);
void roots_disregard_none(void);

/* Prepares for this many threads. Before a stop, because it may take metadata. False when out of
 * memory. */
bool roots_prepare(unsigned threads);

/* Adds jobs for the memory in scope; registers and stacks are scanned by the marker. False when the
 * roots could not all be known: then nothing may be concluded from the mark. */
bool roots_plan(struct marker *marker, enum roots_scope scope);

/* Adds jobs for what was written of the memory that the last ROOTS_TRACKED found. */
bool roots_plan_written(void);

/* What the last ROOTS_TRACKED found is not asked for any more; see dirty_relax. */
void roots_relax(void);

/* Scans the live part of a thread's own stack, as a thread that is frozen or in its signal handler
 * does for itself. Does nothing when the thread is not on a stack with known bounds. */
void roots_scan_own_stack(struct marker *marker, const struct thread *thread);

/* Bytes of root memory that the last plan of everything found. */
size_t roots_bytes(void);

#endif
