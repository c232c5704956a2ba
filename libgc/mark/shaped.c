/* Descriptors, procedures and held objects; see shaped.h. */
#include "mark/shaped.h"

#include "heap/metadata.h"
#include "heap/shape.h"
#include "os/memory.h"
#include "thread/thread.h"

#include <string.h>

enum {
    WORD = sizeof(uintptr_t),
    WORD_BITS = 64,
    TAG_BITS = 2,
    INDEX_BITS = 6,
    LONG_MAP_INDEX = 8, /* one of the indices that libgc reserves for itself */
    VTABLE_BIAS = 16,   /* in descriptors that lie where an object's first word leads */
    MOST_FOUND = 65536
};

struct long_map {
    size_t words;
    uintptr_t bits[];
};

static shaped_procedure procedures[SHAPED_PROCEDURES];
static volatile bool has_procedures;

static volatile bool stopped; /* written by the conductor, the world being stopped */

/* Objects whose procedures are to run: by any marker in the stop, under the lock. */
static struct lock lock = LOCK_OF(RANK_FOUND);
static struct object *found;
static size_t found_count;
static bool found_lost;

static bool keeps_plain;

void shaped_keep_plain(void) { keeps_plain = true; }

void shaped_set_procedure(unsigned index, shaped_procedure procedure) {
    procedures[index % SHAPED_PROCEDURES] = procedure;
    has_procedures = true;
}

uintptr_t shaped_long_map(const uintptr_t *bits, size_t words) {
    size_t bytes = (words + WORD_BITS - 1) / WORD_BITS * WORD;
    lock_take(&thread_registry_lock);
    struct long_map *map = metadata_take(sizeof *map + bytes);
    lock_give(&thread_registry_lock);
    if (map == NULL)
        return DESCRIPTOR_WHOLE;
    map->words = words;
    memcpy(map->bits, bits, bytes);
    return ((uintptr_t)map << INDEX_BITS | LONG_MAP_INDEX) << TAG_BITS | DESCRIPTOR_PROCEDURE;
}

static unsigned procedure_index(uintptr_t descriptor) {
    return descriptor >> TAG_BITS & (SHAPED_PROCEDURES - 1);
}

static uintptr_t procedure_argument(uintptr_t descriptor) {
    return descriptor >> (TAG_BITS + INDEX_BITS);
}

/* A part of an object, and the bounds outside of which nothing has to be read. */
struct extent {
    uintptr_t start, end;
    uintptr_t low, high;
};

static void scan_within(struct marker *marker, struct extent extent) {
    uintptr_t low = extent.start > extent.low ? extent.start : extent.low;
    uintptr_t high = extent.end < extent.high ? extent.end : extent.high;
    if (low < high)
        scan_range(marker, low, high, SCAN_WORDS);
}

static void scan_word_at(struct marker *marker, struct extent extent, uintptr_t at) {
    uintptr_t word;
    if (at + WORD <= extent.low || at >= extent.high)
        return;
    memcpy(&word, (const void *)at, sizeof word);
    marker->scanned += WORD;
    scan_word(marker, word);
}

static void scan_map(struct marker *marker, struct extent extent, const struct long_map *map) {
    for (size_t i = 0; i < map->words && extent.start + i * WORD + WORD <= extent.end; i++)
        if (map->bits[i / WORD_BITS] >> i % WORD_BITS & 1)
            scan_word_at(marker, extent, extent.start + i * WORD);
}

static void scan_bits(struct marker *marker, struct extent extent, uintptr_t bits) {
    for (uintptr_t at = extent.start; bits && at + WORD <= extent.end; at += WORD, bits <<= 1)
        if (bits >> (WORD_BITS - 1))
            scan_word_at(marker, extent, at);
}

static uintptr_t read_word(uintptr_t at) {
    uintptr_t word = 0;
    if (heap_contains(at))
        memcpy(&word, (const void *)at, sizeof word);
    else
        memory_read(&word, at, sizeof word);
    return word;
}

/* The descriptor of an object that has its own: in itself, or where its first word leads. What is
 * there may be anything while the program runs, and is read again if it changes. */
static uintptr_t descriptor_inside(struct extent extent, uintptr_t descriptor) {
    intptr_t offset = (intptr_t)(descriptor - DESCRIPTOR_PER_OBJECT);
    if (offset >= 0)
        return extent.start + offset + WORD <= extent.end ? read_word(extent.start + offset) : 0;
    uintptr_t first = read_word(extent.start);
    return first ? read_word(first - (offset + VTABLE_BIAS)) : 0;
}

static bool runs_procedure(struct extent extent, uintptr_t *descriptor) {
    if ((*descriptor & DESCRIPTOR_TAG_MASK) == DESCRIPTOR_PER_OBJECT)
        *descriptor = descriptor_inside(extent, *descriptor);
    return (*descriptor & DESCRIPTOR_TAG_MASK) == DESCRIPTOR_PROCEDURE &&
           procedure_index(*descriptor) != LONG_MAP_INDEX;
}

static void remember(struct object object) {
    lock_take(&lock);
    if (found && found_count < MOST_FOUND)
        found[found_count++] = object;
    else
        found_lost = true;
    lock_give(&lock);
}

/* False for a procedure that is to be run, later. */
static bool scan_described(struct marker *marker, struct extent extent, uintptr_t descriptor) {
    if (runs_procedure(extent, &descriptor))
        return false;
    switch (descriptor & DESCRIPTOR_TAG_MASK) {
    case DESCRIPTOR_LENGTH:
        if (descriptor < extent.end - extent.start)
            extent.end = extent.start + descriptor;
        scan_within(marker, extent);
        break;
    case DESCRIPTOR_BITMAP:
        scan_bits(marker, extent, descriptor & ~(uintptr_t)DESCRIPTOR_TAG_MASK);
        break;
    case DESCRIPTOR_PROCEDURE:
        scan_map(marker, extent, (const struct long_map *)procedure_argument(descriptor));
        break;
    default:
        scan_within(marker, extent);
    }
    return true;
}

static struct extent extent_of(struct object object, uintptr_t low, uintptr_t high) {
    uintptr_t start = object_address(object);
    return (struct extent){start, start + object.span->object_bytes, low, high};
}

/* From the first that reaches into the bounds. An element's descriptor ends with the element. */
static bool scan_elements(struct marker *marker, struct extent extent, struct shape shape) {
    uintptr_t end = extent.end, bytes = shape.element_bytes;
    bool scanned = true;
    if (extent.low > extent.start)
        extent.start += (extent.low - extent.start) / bytes * bytes;
    for (; extent.start + bytes <= end && extent.start < extent.high; extent.start += bytes) {
        extent.end = extent.start + bytes;
        scanned &= scan_described(marker, extent, shape.descriptor);
    }
    return scanned;
}

static bool scan_extent(struct marker *marker, struct extent extent, struct shape shape) {
    if (keeps_plain && extent.low < extent.end && extent.high > extent.start)
        scan_plain(marker, extent.low > extent.start ? extent.low : extent.start,
                   extent.high < extent.end ? extent.high : extent.end);
    return shape.element_bytes ? scan_elements(marker, extent, shape)
                               : scan_described(marker, extent, shape.descriptor);
}

void shaped_scan(struct marker *marker, struct object object, uintptr_t start, uintptr_t end) {
    if (!scan_extent(marker, extent_of(object, start, end), object_shape(object)) && stopped)
        remember(object);
}

void shaped_scan_again(struct marker *marker, struct object object, uintptr_t start,
                       uintptr_t end) {
    scan_extent(marker, extent_of(object, start, end), object_shape(object));
}

static void run_described(struct marker *marker, struct extent extent, uintptr_t descriptor) {
    if (!runs_procedure(extent, &descriptor))
        return;
    shaped_procedure procedure = procedures[procedure_index(descriptor)];
    marker->scanned += extent.end - extent.start;
    if (procedure)
        procedure((uintptr_t *)extent.start, marker, marker, procedure_argument(descriptor));
}

void shaped_scan_as(struct marker *marker, uintptr_t start, uintptr_t descriptor) {
    struct object object;
    uintptr_t end = start + (descriptor & ~(uintptr_t)DESCRIPTOR_TAG_MASK);
    if (object_find(start, &object))
        end = object_address(object) + object.span->object_bytes;
    else if ((descriptor & DESCRIPTOR_TAG_MASK) != DESCRIPTOR_LENGTH)
        end = start + WORD_BITS * WORD;
    struct extent extent = {start, end, 0, UINTPTR_MAX};
    if (!scan_described(marker, extent, descriptor))
        run_described(marker, extent, descriptor);
}

static void run_procedure(struct marker *marker, struct object object) {
    struct shape shape = object_shape(object);
    struct extent extent = extent_of(object, 0, UINTPTR_MAX);
    uintptr_t end = extent.end;
    if (shape.element_bytes == 0)
        run_described(marker, extent, shape.descriptor);
    else
        for (; extent.start + shape.element_bytes <= end; extent.start += shape.element_bytes)
            run_described(marker, extent, shape.descriptor);
}

static bool may_run_procedure(struct shape shape) {
    unsigned tag = shape.descriptor & DESCRIPTOR_TAG_MASK;
    return tag == DESCRIPTOR_PER_OBJECT || tag == DESCRIPTOR_PROCEDURE;
}

static void run_if_black(struct object object, void *marker) {
    if (AO_char_load(object_state(object)) == object_live_colour() &&
        may_run_procedure(object_shape(object)))
        run_procedure(marker, object);
}

static void each_in(struct span *span, void (*visit)(struct object object, void *context),
                    void *context) {
    for (size_t i = 0; i < span->object_count; i++)
        if (object_is_allocated(span->states[i]))
            visit((struct object){span, i}, context);
}

static void each_in_set(struct span_set *set, void (*visit)(struct object object, void *context),
                        void *context) {
    const struct span_ring *const rings[] = {&set->unswept, &set->partial, &set->full};
    for (size_t i = 0; i < sizeof rings / sizeof *rings; i++)
        for (struct span *span = rings[i]->first; span; span = span->next)
            each_in(span, visit, context);
}

void shaped_each(void (*visit)(struct object object, void *context), void *context) {
    unsigned first = sizes_span_class_of(0, OBJECT_SHAPED);
    for (unsigned class = first; class < SPAN_CLASSES; class ++)
        each_in_set(&span_sets[class], visit, context);
}

static void mark_held(struct object object, void *marker) {
    if (object.span->kind == OBJECT_HELD)
        scan_mark(marker, object);
}

void shaped_mark_held(struct marker *marker) { shaped_each(mark_held, marker); }

void shaped_stop(struct marker *marker) {
    stopped = true;
    found_lost = false;
    if (!has_procedures)
        return;
    if (found == NULL)
        found = metadata_take(MOST_FOUND * sizeof *found);
    found_count = 0;
    shaped_each(run_if_black, marker);
}

bool shaped_resume(void) {
    stopped = false;
    return !found_lost;
}

bool shaped_run_found(struct marker *marker) {
    struct object object = {NULL, 0};
    lock_take(&lock);
    if (found_count > 0)
        object = found[--found_count];
    lock_give(&lock);
    if (object.span)
        run_procedure(marker, object);
    return object.span != NULL;
}
