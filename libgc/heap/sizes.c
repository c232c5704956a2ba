/* The arithmetic of size classes; see sizes.h. */
#include "heap/sizes.h"

#include "heap/layout.h"

enum {
    SPAN_MOST_PAGES = 32,
    SPAN_FEWEST_OBJECTS = 8,
    SPAN_LARGEST_FOR_FEWEST = 65536, /* bytes a span may grow to only to hold that many */
    SPAN_GROWN_PAGES = 8,            /* of a class that has many */
    SPAN_GROWN_OBJECTS = 512,        /* then, too: descriptors and rows of notes stay reusable */
    SPAN_SHARE = 16,                 /* of what its class has, at least, when it is longer */
    CACHE_BYTES = 16384,
    CACHE_FEWEST = 2,
    CACHE_MOST_HELD = 8 /* few programs have many objects that they must free themselves */
};

unsigned char sizes_filled[SPAN_CLASSES] = {[0 ... SPAN_CLASSES - 1] = 1};

void sizes_watch_filled(void) {
    for (unsigned class = 1; class <= SIZES_CLASSES; class ++)
        sizes_filled[sizes_span_class_of(class, OBJECT_SCANNED)] = 0;
}

unsigned sizes_aligned_class(size_t bytes, size_t alignment) {
    if (bytes > SIZES_LARGEST_SMALL || alignment > HEAP_PAGE_BYTES)
        return 0;
    bytes = bytes > 0 ? (bytes + alignment - 1) & ~(alignment - 1) : alignment;
    if (bytes > SIZES_LARGEST_SMALL)
        return 0;
    for (unsigned size_class = sizes_class(bytes); size_class <= SIZES_CLASSES; size_class++)
        if (sizes_bytes(size_class) % alignment == 0)
            return size_class;
    return 0;
}

/* The fewest pages that hold enough objects and lose at most a sixteenth at the end. */
static unsigned fewest_pages(size_t bytes) {
    size_t wanted = bytes * SPAN_FEWEST_OBJECTS;
    if (wanted > SPAN_LARGEST_FOR_FEWEST)
        wanted = SPAN_LARGEST_FOR_FEWEST;
    size_t pages = (wanted + HEAP_PAGE_BYTES - 1) / HEAP_PAGE_BYTES;
    while (pages < SPAN_MOST_PAGES &&
           pages * HEAP_PAGE_BYTES % bytes > pages * HEAP_PAGE_BYTES / 16)
        pages++;
    return pages;
}

unsigned sizes_span_pages(unsigned size_class, size_t in_all) {
    size_t bytes = sizes_bytes(size_class), pages = fewest_pages(bytes);
    while (pages * 2 <= SPAN_GROWN_PAGES && pages * 2 <= in_all / SPAN_SHARE &&
           pages * 2 * HEAP_PAGE_BYTES <= bytes * SPAN_GROWN_OBJECTS)
        pages *= 2;
    return pages;
}

unsigned sizes_span_objects(unsigned size_class, unsigned pages) {
    return pages * HEAP_PAGE_BYTES / sizes_bytes(size_class);
}

unsigned sizes_cache_limit(unsigned span_class) {
    unsigned size_class = sizes_size_class(span_class);
    if (size_class == 0)
        return 0;
    size_t most = sizes_kind(span_class) == OBJECT_HELD ? CACHE_MOST_HELD : SIZES_CACHE_MOST;
    size_t fit = CACHE_BYTES / sizes_bytes(size_class);
    return fit > most ? most : fit < CACHE_FEWEST ? CACHE_FEWEST : fit;
}
