/* Open addressing with linear probing; removal closes the gap. See table.h. */
#include "weak/table.h"

struct lock weak_lock = LOCK_OF(RANK_ALLOCATION);

enum { FIRST_ROOM = 512 };

static struct weak_entry *entries_of(const struct weak_table *table) {
    return (struct weak_entry *)table->region.start;
}

static size_t home_of(const struct weak_table *table, uintptr_t hidden_key) {
    return hidden_key * 0x9e3779b97f4a7c15u >> 20 & (table->room - 1);
}

/* The key's entry, or the empty one where it would be. */
static struct weak_entry *probe(const struct weak_table *table, uintptr_t hidden_key) {
    struct weak_entry *entries = entries_of(table);
    size_t at = home_of(table, hidden_key);
    while (entries[at].hidden_key && entries[at].hidden_key != hidden_key)
        at = (at + 1) & (table->room - 1);
    return &entries[at];
}

struct weak_entry *weak_table_find(const struct weak_table *table, uintptr_t key) {
    if (table->room == 0)
        return NULL;
    struct weak_entry *entry = probe(table, weak_hide(key));
    return entry->hidden_key ? entry : NULL;
}

static bool grow(struct weak_table *table) {
    struct weak_table wider = {.room = table->room ? table->room * 2 : FIRST_ROOM,
                               .count = table->count};
    size_t bytes = wider.room * sizeof(struct weak_entry);
    if (!vm_region_make(&wider.region, bytes))
        return false;
    for (size_t i = 0; i < table->room; i++)
        if (entries_of(table)[i].hidden_key)
            *probe(&wider, entries_of(table)[i].hidden_key) = entries_of(table)[i];
    vm_region_end(&table->region);
    *table = wider;
    return true;
}

/* At most three quarters full: then a probe for what is not there looks at eight entries or so. */
struct weak_entry *weak_table_add(struct weak_table *table, uintptr_t key) {
    if (table->count >= table->room / 4 * 3 && !grow(table))
        return NULL;
    struct weak_entry *entry = probe(table, weak_hide(key));
    entry->hidden_key = weak_hide(key);
    table->count++;
    return entry;
}

void weak_table_remove(struct weak_table *table, struct weak_entry *entry) {
    struct weak_entry *entries = entries_of(table);
    size_t mask = table->room - 1, gap = entry - entries;
    for (size_t at = (gap + 1) & mask; entries[at].hidden_key; at = (at + 1) & mask) {
        size_t home = home_of(table, entries[at].hidden_key);
        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        entries[gap] = entries[at];
        gap = at;
    }
    entries[gap] = (struct weak_entry){0, {0}}; /* or its words would go on keeping objects */
    table->count--;
}

/* What moves into a gap is looked at again; what moves from the front to the end was seen. */
void weak_table_filter(struct weak_table *table,
                       bool (*visit)(struct weak_entry *entry, void *context), void *context) {
    struct weak_entry *entries = entries_of(table);
    for (size_t i = 0; i < table->room; i++)
        while (entries[i].hidden_key && !visit(&entries[i], context))
            weak_table_remove(table, &entries[i]);
}
