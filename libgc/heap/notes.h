/* Notes: sixteen bytes beside each object for whoever asked for them: leak hunting.
 *
 * They lie outside the objects, one row a span, and exist only once somebody has called
 * notes_start. Rows are only ever reused as rows, so that a note which is written late hits another
 * object's note at worst. Who keeps notes gives them their meaning and their order of writing; a
 * fresh row is all zero.
 */
#ifndef TITHE_HEAP_NOTES_H
#define TITHE_HEAP_NOTES_H

#include "heap/object.h"

#include <stdbool.h>
#include <stddef.h>

struct note {
    unsigned stack, time, bytes, link;
};

/* Gives every span its notes, those that are there and those to come. Any thread, without a lock;
 * once. */
void notes_start(void);

/* NULL when the span has none. */
static inline struct note *note_of(struct object object) {
    struct note *notes = object.span->notes;
    return notes ? &notes[object.index] : NULL;
}

/* Calls visit for each object, free ones too, in the order of addresses, with the lock of its set.
 */
void notes_each(void (*visit)(struct object object, struct note *note, void *context),
                void *context);

/* The same with the world stopped and the heap locked. */
void notes_each_stopped(void (*visit)(struct object object, struct note *note, void *context),
                        void *context);

/* The rest is for span.c. */
void notes_make(struct span *span, unsigned objects);
void notes_drop(struct span *span, unsigned objects);

#endif
