/* By the same evidence as a mark; see edges.h. Slower, and for one thread. */
#include "leak/edges.h"

#include "mark/scan.h"
#include "os/memory.h"

#include <stdint.h>
#include <string.h>

enum { WORD_BYTES = sizeof(uintptr_t), COPY_BYTES = 16384 };

typedef void edge_visit(struct object target, size_t offset, void *context);

static void look_at(uintptr_t found, size_t offset, edge_visit *visit, void *context) {
    uintptr_t address = found & ~SCAN_RESTRICTIONS;
    struct object target;
    if (object_find(address, &target) && evidence_keeps(evidence_sort(found), target, address))
        visit(target, offset, context);
}

static void look_at_numbers(uintptr_t word, size_t offset, edge_visit *visit, void *context) {
    uintptr_t found[EVIDENCE_NUMBERS_MOST];
    unsigned count = evidence_numbers(word, found);
    for (unsigned i = 0; i < count; i++)
        look_at(found[i], offset, visit, context);
}

/* Most words fail the first test. */
void edges_each(const void *start, size_t bytes, edge_visit *visit, void *context) {
    size_t step = evidence_filter.packed ? 1 : 4;
    for (size_t at = 0; at + WORD_BYTES <= bytes; at += step) {
        uintptr_t word, found;
        memcpy(&word, (const char *)start + at, sizeof word);
        if (heap_contains(word))
            look_at(word, at, visit, context);
        else if (at % 4 == 0 && evidence_tagged(word, &found))
            look_at(found, at, visit, context);
        if (at % WORD_BYTES == 0)
            look_at_numbers(word, at, visit, context);
    }
}

/* A word that tells how far it is from the object's start to the start of another. */
static void each_distance(struct object from, const unsigned char *words, size_t offset,
                          size_t bytes, edge_visit *visit, void *context) {
    for (size_t at = 0; at + WORD_BYTES <= bytes; at += WORD_BYTES) {
        uintptr_t word, found;
        memcpy(&word, words + at, sizeof word);
        if (evidence_distance(from, word, &found))
            look_at(found, offset + at, visit, context);
    }
}

struct part {
    size_t offset;
    edge_visit *visit;
    void *context;
};

static void visit_in_part(struct object target, size_t offset, void *context) {
    const struct part *part = context;
    part->visit(target, part->offset + offset, part->context);
}

/* Of an object that the program may have closed to reading. */
static void each_in_copy(struct object object, size_t bytes, edge_visit *visit, void *context) {
    uintptr_t base = object_address(object);
    _Alignas(16) unsigned char copy[COPY_BYTES + WORD_BYTES];
    for (size_t from = 0; from < bytes; from += COPY_BYTES) {
        size_t want = bytes - from < sizeof copy ? bytes - from : sizeof copy;
        size_t got = memory_read(copy, base + from, want);
        struct part part = {from, visit, context};
        edges_each(copy, got, visit_in_part, &part);
        each_distance(object, copy, from, got < COPY_BYTES ? got : COPY_BYTES, visit, context);
    }
}

void edges_each_in(struct object object, edge_visit *visit, void *context) {
    uintptr_t base = object_address(object);
    size_t bytes = object.span->object_bytes;
    if (object.span->kind == OBJECT_ATOMIC || !heap_contains(base) ||
        !heap_contains(base + bytes - 1))
        return;
    if (object.span->closed || span_is_large(object.span)) {
        each_in_copy(object, bytes, visit, context);
        return;
    }
    edges_each((const void *)base, bytes, visit, context);
    each_distance(object, (const unsigned char *)base, 0, bytes, visit, context);
}
