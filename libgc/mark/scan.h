/* Scanning: from words to objects, and from objects to their words.
 *
 * A word that points anywhere into an allocated white object makes it grey. Two short first-in,
 * first-out rings stand between a word and the memory it leads to, so that cache misses overlap:
 * candidates wait while their span's descriptor is fetched, objects wait while their contents are.
 * What finds the second ring full stays grey in its span, and the span is queued.
 *
 * A marker is one thread's; any number may work at once.
 */
#ifndef TITHE_MARK_SCAN_H
#define TITHE_MARK_SCAN_H

#include "heap/object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCAN_CANDIDATES = 16, SCAN_OBJECTS = 16 };

struct candidate {
    struct span *span;
    uintptr_t address;
};

struct marker {
    struct candidate candidates[SCAN_CANDIDATES];
    struct object objects[SCAN_OBJECTS];
    unsigned candidate_head, candidate_count;
    unsigned object_head, object_count;
    size_t marked_objects, marked_bytes; /* made grey or black by this marker */
};

/* What the words of a range are. */
enum scan_mode {
    SCAN_WORDS, /* the contents of memory */
    SCAN_STACK, /* a stack or registers: an address one past an object's end keeps it, too */
    SCAN_CODE   /* machine code, where addresses lie at any byte */
};

/* Considers every word in [start, end), which must be readable. */
void scan_range(struct marker *marker, uintptr_t start, uintptr_t end, enum scan_mode mode);

/* Makes all objects that this marker holds in its rings black, and those they lead to. */
void scan_drain_rings(struct marker *marker);

/* Scans the grey objects of a span just taken off the queue, or the next slice of a large one. */
void scan_span(struct marker *marker, struct span *span);

#endif
