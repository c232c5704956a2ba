/* The list and its graph; see lost.h. */
#include "leak/lost.h"

#include "leak/edges.h"
#include "leak/links.h"
#include "leak/record.h"

#include "os/vm.h"

/* A flag in a block's address, which is a multiple of sixteen. */
enum { REFERENCED = 1, FLAGS = 15 };

static struct vm_region region;
static size_t count, room;

static struct lost *at(size_t number) { return (struct lost *)region.start + number; }

void lost_end(void) {
    vm_region_end(&region);
    links_end();
    count = room = 0;
}

/* Address space only: what is not lost costs nothing. */
bool lost_prepare(void) {
    enum { FEWEST = 1024 };
    size_t blocks = AO_load(&heap.objects.committed) / SIZES_GRANULE + FEWEST;
    count = room = 0;
    for (; blocks >= FEWEST; blocks /= 2) {
        size_t bytes = blocks * sizeof(struct lost);
        if (vm_region_make(&region, bytes))
            break;
    }
    room = region.reserved / sizeof(struct lost);
    if (room > 0 && links_prepare())
        return true;
    lost_end();
    return false;
}

void lost_add(struct object object, struct note *note) {
    uintptr_t address = object_address(object);
    if (count == room || !links_set(address, count + 1))
        return;
    *at(count++) = (struct lost){.address = address};
    if (note->stack != NOTE_NOBODY)
        AO_int_store(&note->stack, note->stack | NOTE_LISTED);
}

bool lost_contains(uintptr_t address, const struct note *note) {
    bool may_be = note->stack == NOTE_NOBODY || (note->stack & NOTE_LISTED);
    unsigned link = may_be ? links_get(address) : 0;
    return link > 0 && link <= count && (at(link - 1)->address & ~(uintptr_t)FLAGS) == address;
}

size_t lost_count(void) { return count; }
const struct lost *lost_get(size_t number) { return at(number); }

/* The list's entry for an object, or NULL. */
static struct lost *entry_of(struct object object) {
    uintptr_t address = object_address(object);
    const struct note *note = note_of(object);
    return note && lost_contains(address, note) ? at(links_get(address) - 1) : NULL;
}

static void each_edge(struct lost *from,
                      void (*visit)(struct object target, size_t offset, void *context),
                      void *context) {
    struct object object;
    if (object_find(from->address, &object))
        edges_each_in(object, visit, context);
}

static void note_reference(struct object target, size_t offset, void *context) {
    struct lost *entry = entry_of(target);
    (void)offset;
    if (entry && entry != context)
        entry->address |= REFERENCED;
}

/* What is being owned, and the chain of what it leads to. */
struct flood {
    unsigned owner, first;
};

static void take_along(struct object target, size_t offset, void *context) {
    struct flood *flood = context;
    struct lost *entry = entry_of(target);
    (void)offset;
    if (entry == NULL || entry->owner)
        return;
    entry->owner = flood->owner;
    entry->linked = flood->first;
    flood->first = entry - at(0) + 1;
}

static void own(size_t number) {
    struct flood flood = {number + 1, number + 1};
    at(number)->owner = flood.owner;
    at(number)->linked = 0;
    while (flood.first) {
        struct lost *entry = at(flood.first - 1);
        flood.first = entry->linked;
        each_edge(entry, take_along, &flood);
    }
}

void lost_settle(void) {
    for (size_t i = 0; i < count; i++)
        each_edge(at(i), note_reference, at(i));
    for (size_t i = 0; i < count; i++)
        if (!(at(i)->address & REFERENCED) && at(i)->owner == 0)
            own(i);
    for (size_t i = 0; i < count; i++)
        if (at(i)->owner == 0)
            own(i);
    for (size_t i = 0; i < count; i++)
        at(i)->address &= ~(uintptr_t)FLAGS;
}
