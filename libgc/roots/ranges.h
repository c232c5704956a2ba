/* Ranges that somebody told about: added to the roots, excluded, or disregarded by one cycle.
 *
 * What is added or excluded stays for all later marks; start and end are kept as they are. Callers
 * hold weak_lock in libgc's API and are the only ones of the shim that tell; the conductor, who
 * reads the lists, holds that lock, too (cycle_hooks.lock). What is disregarded is the conductor's
 * alone.
 */
#ifndef TITHE_ROOTS_RANGES_H
#define TITHE_ROOTS_RANGES_H

#include "os/vm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
    uintptr_t start, end;
};

/* In the order of their starts, until some are taken out of excluded. */
struct range_list {
    size_t count;
    struct vm_region region; /* there from the first range on */
};

extern struct range_list ranges_added, ranges_excluded, ranges_disregarded;

static inline struct range *ranges_of(const struct range_list *list) {
    return (struct range *)list->region.start;
}

/* What is excluded counts all the same while a thread's stack pointer lies there. False when there
 * are too many. */
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

#endif
