/* Roots: everything outside the heap that may hold a pointer into it.
 *
 * All memory of the process but our own, code on disk and devices: data segments, stacks from the
 * stack pointer up, thread blocks and TLS, anonymous maps private and shared, also ones made
 * read-only or closed to reads later; machine code in anonymous memory at every byte. Only resident
 * pages are read, and of a private map only those that are no file's any more. Foreign memory is
 * copied out, so that its vanishing cannot crash the marker.
 *
 * While the program runs, its memory is put on the list of jobs and its writing is tracked; stacks
 * are left out, because each thread is asked to scan its own. With the world stopped, stacks and
 * registers are scanned, and of the rest what was written or cannot be tracked.
 *
 * The conductor calls, one at a time; it holds the registry's lock for what needs it. Ranges that
 * somebody adds or excludes are in ranges.h, what nobody can know in unknown.h.
 */
#ifndef TITHE_ROOTS_ROOTS_H
#define TITHE_ROOTS_ROOTS_H

#include <stdbool.h>
#include <stddef.h>

struct map;
struct marker;

enum roots_scope {
    ROOTS_TRACKED, /* the program runs: everything but stacks, and tracks its writing from now on */
    ROOTS_WRITTEN, /* stopped: stacks, and what was written since or is not tracked */
    ROOTS_ALL      /* stopped: stacks and everything */
};

/* From now on only the data segments of programs and libraries, stacks, registers, and what is
 * added are roots, as libgc has it: other memory of the program may hold hidden pointers. */
void roots_make_like_libgc(void);
bool roots_follow_libgc(void);

/* Makes room for what a plan notes for this many threads. Before a stop, because it may take
 * metadata. False when out of memory. */
bool roots_make_room(unsigned threads);

/* Before ROOTS_TRACKED is planned: looks where stacks are, with the registry's lock. The plan needs
 * none, because with many maps it takes a while, in which threads come and go; where they were
 * matters only for what is passed over now and read in the stop. */
void roots_look(enum roots_scope scope);

/* Adds jobs for the memory in scope; registers and stacks are scanned by the marker. False when the
 * roots could not all be known, for unknown_reason: then nothing may be concluded from the mark. */
bool roots_plan(struct marker *marker, enum roots_scope scope);

/* In a stop, after what was planned has been read: plans what the reading met that came since the
 * mark began. False as above. */
bool roots_plan_late(struct marker *marker);

/* The last plan of a stop has been read: what it opened is closed again. Before the world starts.
 */
void roots_close(void);

/* What the kernel alone holds is known to a higher room, if to anybody; each may be NULL. Called
 * around and in each plan's walk, with a marker if the world is stopped. Set before there are
 * cycles. */
struct roots_beyond {
    void (*begin)(void);
    void (*visit)(const struct map *map, struct marker *marker); /* one shared with the kernel, in
                                                                    which requests wait */
    void (*end)(struct marker *marker); /* says what cannot be known (unknown.h) */
};

extern struct roots_beyond roots_beyond;

/* Adds jobs for what was written of the memory that the last ROOTS_TRACKED found. */
bool roots_plan_written(void);

/* Of what the last ROOTS_TRACKED found, some was not read: the next plan has all of it read,
 * written or not. */
void roots_distrust(uintptr_t start, uintptr_t end);

/* What the last ROOTS_TRACKED found is not asked for any more; see dirty_relax. */
void roots_relax(void);

/* Bytes of root memory that the last plan of everything found. */
size_t roots_bytes(void);

#endif
