/* Parts of memory that a mark has read and tracks, and stretches of them.
 *
 * A stretch is a piece of the address space in which every map was tracked whole when the mark
 * began, between which nothing lay. So the kernel is asked about all of its maps at once: what was
 * written there, and, in the stop, what is not tracked and hence came later. Thousands of maps cost
 * one question and not thousands, and none of them is listed in the stop. Maps with memory beside
 * the page table can come without a page that tells of them; they are to be looked for apart.
 *
 * The conductor writes and adds jobs; any marker runs them.
 */
#ifndef TITHE_ROOTS_TRACKED_H
#define TITHE_ROOTS_TRACKED_H

#include "roots/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A plan begins; anew, if it is a mark's first: then nothing is tracked. */
void tracked_begin(bool anew);

/* In the order of addresses: the next map, and the parts of it that are tracked. Writing to a part
 * is recorded from here on. False when that is impossible. */
void tracked_map(uintptr_t start, uintptr_t end);
bool tracked_add(const struct part *part);

/* Those that reach into [start, end), one after the other; NULL when there is no other. */
const struct part *tracked_behind(uintptr_t start, uintptr_t end);
const struct part *tracked_next(const struct part *part, uintptr_t end);

/* The same for those that roots_distrust has named. */
void tracked_each_distrusted(uintptr_t start, uintptr_t end,
                             void (*visit)(const struct part *part, void *context), void *context);

/* Calls visit for each stretch, in the order of addresses. */
void tracked_each_stretch(void (*visit)(uintptr_t start, uintptr_t end, void *context),
                          void *context);

/* In the stop: adds jobs for what was written in the stretches. False when out of memory. */
bool tracked_plan_stretches(void);

/* After these jobs: calls visit for places that are not tracked although they lie in a stretch, in
 * the order of addresses. False when there were too many to remember. */
bool tracked_each_unknown(void (*visit)(uintptr_t start, uintptr_t end, void *context),
                          void *context);

/* Room to remember those. Before a stop. False when out of memory. */
bool tracked_make_room(void);

#endif
