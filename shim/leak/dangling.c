/* The list, and its lines; see dangling.h. */
#include "leak/dangling.h"

#include "leak/chains.h"
#include "leak/record.h"
#include "leak/writer.h"

#include "heap/quarantine.h"
#include "os/vm.h"

#include <stdint.h>

enum {
    FEWEST = 1024,
    MOST_LINES = 100000,
    MOST_CHAINS = 200 /* of the others, only what leads to them at last is told */
};

static struct vm_region region;
static size_t count, room;

static uintptr_t *addresses(void) { return (uintptr_t *)region.start; }

/* Address space only. */
void dangling_prepare(void) {
    size_t blocks = AO_load(&heap.objects.committed) / SIZES_GRANULE + FEWEST;
    count = room = 0;
    for (; quarantine_is_on() && blocks >= FEWEST && room == 0; blocks /= 2) {
        size_t bytes = blocks * sizeof(uintptr_t);
        if (vm_region_make(&region, bytes))
            room = blocks;
    }
}

void dangling_end(void) {
    vm_region_end(&region);
    count = room = 0;
}

static bool is_reached(struct object object) {
    return *object_state(object) == (object_live_colour() | OBJECT_QUARANTINED);
}

void dangling_add(struct object object, const struct note *note) {
    if (count < room && (note->stack & NOTE_FREED) && is_reached(object))
        addresses()[count++] = object_address(object);
}

size_t dangling_count(void) { return count; }

bool dangling_owns(uintptr_t start, uintptr_t end) {
    return start < region.start + region.reserved && region.start < end;
}

static bool write_one(uintptr_t address, bool whole) {
    struct object object;
    const struct note *note;
    if (!object_find(address, &object) || (note = note_of(object)) == NULL ||
        !(note->stack & NOTE_FREED) || !chains_has(address))
        return false;
    writer_add("dangling 0x%lx %zu %u %u", address, record_bytes(object, note), note_stack(note),
               record_freed_stack(note));
    chains_write_steps(address, whole);
    writer_add("\n");
    return true;
}

void dangling_write(void) {
    size_t lines = 0;
    if (!quarantine_is_on())
        return;
    writer_add("quarantine %zu %zu\n", AO_load(&quarantine.blocks), AO_load(&quarantine.bytes));
    for (size_t i = 0; i < count && lines < MOST_LINES; i++)
        lines += write_one(addresses()[i], lines < MOST_CHAINS);
}
