/* Two tables from links to objects; see links.h. */
#include "weak/links.h"

#include "heap/object.h"
#include "weak/table.h"

/* The key is the link; the first word is the object, hidden. */
static struct weak_table tables[LINK_KINDS];

size_t links_count(enum link_kind kind) { return tables[kind].count; }

static enum link_result add(struct weak_table *table, void **link, uintptr_t hidden_object) {
    struct weak_entry *entry = weak_table_find(table, (uintptr_t)link);
    if (entry) {
        entry->words[0] = hidden_object;
        return LINK_DUPLICATE;
    }
    entry = weak_table_add(table, (uintptr_t)link);
    if (entry == NULL)
        return LINK_NO_MEMORY;
    entry->words[0] = hidden_object;
    return LINK_DONE;
}

enum link_result links_register(enum link_kind kind, void **link, const void *object) {
    lock_take(&weak_lock);
    enum link_result result = add(&tables[kind], link, weak_hide((uintptr_t)object));
    lock_give(&weak_lock);
    return result;
}

int links_unregister(enum link_kind kind, void **link) {
    lock_take(&weak_lock);
    struct weak_entry *entry = weak_table_find(&tables[kind], (uintptr_t)link);
    if (entry)
        weak_table_remove(&tables[kind], entry);
    lock_give(&weak_lock);
    return entry != NULL;
}

static enum link_result move(struct weak_table *table, void **link, void **new_link) {
    struct weak_entry *entry = weak_table_find(table, (uintptr_t)link);
    if (entry == NULL)
        return LINK_NOT_FOUND;
    if (link == new_link)
        return LINK_DONE;
    if (weak_table_find(table, (uintptr_t)new_link))
        return LINK_DUPLICATE;
    uintptr_t hidden_object = entry->words[0];
    weak_table_remove(table, entry);
    return add(table, new_link, hidden_object);
}

enum link_result links_move(enum link_kind kind, void **link, void **new_link) {
    lock_take(&weak_lock);
    enum link_result result = move(&tables[kind], link, new_link);
    lock_give(&weak_lock);
    return result;
}

static bool is_dead(uintptr_t address) {
    struct object object;
    if (!object_find(address, &object))
        return false;
    unsigned char state = *object_state(object);
    return state == object_white() || !object_is_allocated(state);
}

static bool clear_if_dead(struct weak_entry *entry, void *context) {
    (void)context;
    if (!is_dead(weak_hide(entry->words[0])))
        return true;
    uintptr_t link = weak_hide(entry->hidden_key);
    if (!is_dead(link))
        *(void **)link = NULL;
    return false;
}

static bool forget_if_dead(struct weak_entry *entry, void *context) {
    (void)context;
    return !is_dead(weak_hide(entry->hidden_key));
}

void links_clear(enum link_kind kind) { weak_table_filter(&tables[kind], clear_if_dead, NULL); }

void links_forget_dead(enum link_kind kind) {
    weak_table_filter(&tables[kind], forget_if_dead, NULL);
}
