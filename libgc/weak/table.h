/* Hash tables from addresses to three words, for links and finalizers.
 *
 * Addresses are kept inverted, so that a conservative look at the table keeps nothing alive. The
 * memory is mapped by the table itself: growing cannot start a collection. All under weak_lock.
 */
#ifndef TITHE_WEAK_TABLE_H
#define TITHE_WEAK_TABLE_H

#include "os/park.h"
#include "os/vm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What links and finalizers are kept under. The conductor holds it in each stop, so whoever holds
 * it sees no link cleared. Above all locks of the heap; its holder does not allocate objects. */
extern struct lock weak_lock;

struct weak_entry {
    uintptr_t hidden_key; /* 0: empty */
    uintptr_t words[3];
};

struct weak_table {
    struct vm_region region;
    size_t room; /* a power of two, or 0 */
    size_t count;
};

static inline uintptr_t weak_hide(uintptr_t address) { return ~address; }

/* NULL when there is none. */
struct weak_entry *weak_table_find(const struct weak_table *table, uintptr_t key);

/* Adds an entry for a key that has none. NULL when out of memory. */
struct weak_entry *weak_table_add(struct weak_table *table, uintptr_t key);

/* Later entries may move to where this one was, or before it. */
void weak_table_remove(struct weak_table *table, struct weak_entry *entry);

/* Calls visit for each entry; where it returns false the entry is removed. */
void weak_table_filter(struct weak_table *table,
                       bool (*visit)(struct weak_entry *entry, void *context), void *context);

#endif
