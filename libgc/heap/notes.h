/* Notes: twelve bytes beside each object for whoever asked for them: leak hunting.
 *
 * They lie outside the objects, one row a span: of every span, or only of those that hold an object
 * with a note. Rows are only ever reused as rows, so that a stack which is written late hits
 * another object's note at worst. Who keeps notes gives them their meaning and their order of
 * writing; a fresh row is all zero, and a note whose stack is 0 says nothing.
 */
#ifndef TITHE_HEAP_NOTES_H
#define TITHE_HEAP_NOTES_H

#include "heap/object.h"

#include <stdbool.h>
#include <stddef.h>

struct note {
    unsigned stack, time, bytes;
};

/* Gives every span its notes, those that are there and those to come. Any thread, without a lock.
 */
void notes_fill(void);

/* Ends that, and takes them away again from spans whose notes say nothing. */
void notes_thin(void);

/* Writes an object's note, making its span's row if there is none. False when out of memory. */
bool notes_put(struct object object, struct note note);

/* The span's row, or NULL. To be asked once: the row may be taken away the next moment. */
static inline struct note *notes_of(const struct span *span) {
    return (struct note *)AO_load((const volatile AO_t *)&span->notes);
}

/* Has an object's note changed, under the lock of its set; nothing when it has none. */
void notes_change(struct object object, void (*change)(struct note *note, void *context),
                  void *context);

/* NULL when the span has none. */
static inline struct note *note_of(struct object object) {
    struct note *notes = notes_of(object.span);
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
