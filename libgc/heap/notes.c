/* Rows of notes and the walk over them; see notes.h. */
#include "heap/notes.h"

#include "heap/metadata.h"

#include <string.h>

enum { UNIT = 64, ROW_BINS = METADATA_LARGEST_REUSED / UNIT + 1 };

/* A free may still say in the row that it found that nobody has the object: the link lies behind.
 */
struct __attribute__((packed)) free_row {
    unsigned stack;
    struct free_row *next;
};

static bool kept;                              /* written with all sets locked */
static struct lock lock = LOCK_OF(RANK_NOTES); /* below the sets', one of which is held */
static struct free_row *free_rows[ROW_BINS];

static size_t row_bin(unsigned objects) {
    return (objects * sizeof(struct note) + UNIT - 1) / UNIT;
}

/* With the lock of the span's set, or while nobody else knows the span. */
static void make_row(struct span *span, unsigned objects) {
    size_t bin = row_bin(objects);
    lock_take(&lock);
    struct free_row *row = bin < ROW_BINS ? free_rows[bin] : NULL;
    if (row)
        free_rows[bin] = row->next;
    lock_give(&lock);
    if (row == NULL)
        row = metadata_take(bin * UNIT);
    if (row)
        memset(row, 0, bin * UNIT);
    AO_store_release((volatile AO_t *)&span->notes, (AO_t)row);
}

void notes_make(struct span *span, unsigned objects) {
    span->notes = NULL;
    if (kept)
        make_row(span, objects);
}

void notes_drop(struct span *span, unsigned objects) {
    size_t bin = row_bin(objects);
    struct free_row *row = (struct free_row *)span->notes;
    span->notes = NULL;
    if (row == NULL || bin >= ROW_BINS)
        return;
    lock_take(&lock);
    row->next = free_rows[bin];
    free_rows[bin] = row;
    lock_give(&lock);
}

static size_t pages_in_use(void) { return AO_load(&heap.objects.committed) >> HEAP_PAGE_SHIFT; }

static struct span *span_of_page(size_t page) {
    return heap_span_of(heap.objects.start + (page << HEAP_PAGE_SHIFT));
}

/* Calls visit for each span with the lock of its set. What a page belongs to may change until the
 * lock is held. */
static void each_span(void (*visit)(struct span *span, void *context), void *context) {
    const struct span *last = NULL;
    for (size_t page = 0; page < pages_in_use(); page++) {
        struct span *span = span_of_page(page);
        if (span == NULL || span == last)
            continue;
        struct span_set *set = span_set_of(span);
        lock_take(&set->lock);
        if (span_of_page(page) == span && span_set_of(span) == set && span->object_count > 0)
            visit(span, context);
        lock_give(&set->lock);
        last = span;
    }
}

static void fill(struct span *span, void *context) {
    (void)context;
    if (span->notes == NULL)
        make_row(span, span->object_count);
}

static void thin(struct span *span, void *context) {
    (void)context;
    for (size_t i = 0; span->notes && i < span->object_count; i++)
        if (span->notes[i].stack)
            return;
    notes_drop(span, span->object_count);
}

static void keep(bool all) {
    span_sets_lock();
    kept = all;
    span_sets_unlock();
}

void notes_fill(void) {
    if (!heap_start())
        return;
    keep(true);
    each_span(fill, NULL);
}

void notes_thin(void) {
    keep(false);
    each_span(thin, NULL);
}

bool notes_put(struct object object, struct note note) {
    struct span_set *set = span_set_of(object.span);
    lock_take(&set->lock);
    fill(object.span, NULL);
    struct note *to = note_of(object);
    if (to)
        *to = note;
    lock_give(&set->lock);
    return to != NULL;
}

void notes_change(struct object object, void (*change)(struct note *note, void *context),
                  void *context) {
    struct span_set *set = span_set_of(object.span);
    lock_take(&set->lock);
    struct note *note = note_of(object);
    if (note)
        change(note, context);
    lock_give(&set->lock);
}

typedef void note_visit(struct object object, struct note *note, void *context);

static void visit_span(struct span *span, note_visit *visit, void *context) {
    for (size_t i = 0; span->notes && i < span->object_count; i++)
        visit((struct object){span, i}, &span->notes[i], context);
}

struct each_note {
    note_visit *visit;
    void *context;
};

static void each_note(struct span *span, void *context) {
    const struct each_note *each = context;
    visit_span(span, each->visit, each->context);
}

void notes_each(note_visit *visit, void *context) {
    struct each_note each = {visit, context};
    each_span(each_note, &each);
}

void notes_each_stopped(note_visit *visit, void *context) {
    const struct span *last = NULL;
    for (size_t page = 0; page < pages_in_use(); page++) {
        struct span *span = span_of_page(page);
        if (span && span != last)
            visit_span(span, visit, context);
        last = span;
    }
}
