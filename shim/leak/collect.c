/* Over the list of lost blocks; see collect.h. */
#include "leak/collect.h"

#include "leak/lost.h"
#include "leak/record.h"

/* Pages that the program has closed are never collected: then they are not to be told again. */
static void collect_one(const struct lost *lost) {
    struct object object;
    struct note *note;
    if (!object_find(lost->address, &object) || (note = note_of(object)) == NULL ||
        !lost_contains(lost->address, note) || !record_is_block(note) ||
        !object_is_allocated(*object_state(object)))
        return;
    if (object.span->closed)
        record_ignore((const void *)lost->address);
    else
        record_collect(object, note);
}

void collect_lost(void) {
    for (size_t i = 0; i < lost_count(); i++)
        collect_one(lost_get(i));
}
