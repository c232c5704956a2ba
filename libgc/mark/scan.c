/* The marking loop's inside; see scan.h. */
#include "mark/scan.h"

#include "mark/queue.h"
#include "os/maps.h"
#include "os/options.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    WORD_DISTANCE = 4,       /* bytes from one place where a pointer may be to the next */
    SLICE_BYTES = 128 << 10, /* of a large object, so that several markers can share it */
    SPARSE_BYTES = 1 << 20   /* from here on, only the resident pages of an object are read */
};

static void object_scan(struct marker *marker, struct object object) {
    uintptr_t start = object_address(object);
    AO_char_store(object_state(object), object_live_colour());
    scan_range(marker, start, start + object.span->object_bytes, SCAN_WORDS);
}

/* The object is grey. Small scanned ones wait in the ring, everything else in its span. */
static void object_add(struct marker *marker, struct object object) {
    if (object.span->span_class < 2 || marker->object_count == SCAN_OBJECTS) {
        queue_push(object.span);
        return;
    }
    __builtin_prefetch((void *)object_address(object));
    unsigned slot = (marker->object_head + marker->object_count++) % SCAN_OBJECTS;
    marker->objects[slot] = object;
}

static void object_mark(struct marker *marker, struct object object) {
    unsigned char white = object_white();
    volatile unsigned char *state = object_state(object);
    if (AO_char_load(state) != white)
        return;
    bool atomic = sizes_kind(object.span->span_class) == OBJECT_ATOMIC;
    if (!atomic && object.span->span_class < 2)
        AO_store(&object.span->scanned, 0);
    if (!AO_char_compare_and_swap_full(state, white, atomic ? object_live_colour() : OBJECT_GREY))
        return;
    marker->marked_objects++;
    marker->marked_bytes += object.span->object_bytes;
    if (!atomic)
        object_add(marker, object);
}

static void candidate_resolve(struct marker *marker) {
    struct candidate candidate = marker->candidates[marker->candidate_head];
    marker->candidate_head = (marker->candidate_head + 1) % SCAN_CANDIDATES;
    marker->candidate_count--;
    struct object object = {candidate.span, span_index(candidate.span, candidate.address)};
    if (object.index < AO_int_load(&candidate.span->object_count))
        object_mark(marker, object);
}

static void candidate_add(struct marker *marker, uintptr_t address) {
    struct span *span = heap_span_of(address);
    if (span == NULL)
        return;
    __builtin_prefetch(span);
    if (marker->candidate_count == SCAN_CANDIDATES)
        candidate_resolve(marker);
    unsigned slot = (marker->candidate_head + marker->candidate_count++) % SCAN_CANDIDATES;
    marker->candidates[slot] = (struct candidate){span, address};
}

static uintptr_t word_mask(void) { return options.mask ? ((uintptr_t)1 << 48) - 1 : UINTPTR_MAX; }

/* What the upper half of an address of ours looks like. Few words that are none pass that test, and
 * it works alike for addresses at multiples of eight and, as in packed structures, of four. */
struct filter {
    uint32_t mask, lowest, range;
};

static struct filter filter_make(void) {
    uintptr_t base = heap.objects.start, last = base + AO_load(&heap.objects.committed) - 1;
    struct filter filter = {word_mask() >> 32, base >> 32, 0};
    filter.range = (last >> 32) - filter.lowest;
    return filter;
}

static void consider_at(struct marker *marker, uintptr_t at) {
    uintptr_t address;
    memcpy(&address, (const void *)at, sizeof address);
    address &= word_mask();
    if (heap_contains(address))
        candidate_add(marker, address);
}

static void scan_one_by_one(struct marker *marker, uintptr_t start, uintptr_t end, size_t step,
                            struct filter filter) {
    for (; start + sizeof(uintptr_t) <= end; start += step) {
        uint32_t upper;
        memcpy(&upper, (const char *)start + 4, sizeof upper);
        if ((upper & filter.mask) - filter.lowest <= filter.range)
            consider_at(marker, start);
    }
}

#if defined(__SSE2__)
enum { ROUND_BYTES = 16, EVERY_LANE = 15 };

/* Which of the four words' upper halves starting at start + 4 pass the filter, one bit each. SSE2
 * can only compare signed numbers, hence the flipped sign bits. */
static int passing_lanes(uintptr_t start, struct filter filter) {
    const __m128i sign = _mm_set1_epi32(INT32_MIN);
    __m128i upper = _mm_loadu_si128((const __m128i *)(start + 4));
    upper = _mm_and_si128(upper, _mm_set1_epi32(filter.mask));
    upper = _mm_sub_epi32(upper, _mm_set1_epi32(filter.lowest));
    __m128i above = _mm_cmpgt_epi32(_mm_xor_si128(upper, sign),
                                    _mm_xor_si128(_mm_set1_epi32(filter.range), sign));
    return ~_mm_movemask_ps(_mm_castsi128_ps(above)) & EVERY_LANE;
}

static uintptr_t scan_rounds(struct marker *marker, uintptr_t start, uintptr_t end,
                             struct filter filter) {
    for (; start + 4 + ROUND_BYTES <= end; start += ROUND_BYTES) {
        int lanes = passing_lanes(start, filter);
        for (; __builtin_expect(lanes != 0, 0); lanes &= lanes - 1)
            consider_at(marker, start + 4 * __builtin_ctz(lanes));
    }
    return start;
}
#else
static uintptr_t scan_rounds(struct marker *marker, uintptr_t start, uintptr_t end,
                             struct filter filter) {
    (void)marker, (void)end, (void)filter;
    return start;
}
#endif

/* Only an address at which an object may begin can be the end of another. */
static void scan_ends(struct marker *marker, uintptr_t start, uintptr_t end) {
    uintptr_t mask = word_mask();
    for (start = (start + 7) & ~(uintptr_t)7; start + 8 <= end; start += 8) {
        uintptr_t address = *(const volatile uintptr_t *)start & mask;
        if (address % SIZES_GRANULE == 0 && heap_contains(address - 1))
            candidate_add(marker, address - 1);
    }
}

void scan_range(struct marker *marker, uintptr_t start, uintptr_t end, enum scan_mode mode) {
    struct filter filter = filter_make();
    if (mode == SCAN_CODE || options.unaligned) {
        scan_one_by_one(marker, start, end, 1, filter);
    } else {
        start = (start + WORD_DISTANCE - 1) & ~(uintptr_t)(WORD_DISTANCE - 1);
        uintptr_t rest = scan_rounds(marker, start, end, filter);
        scan_one_by_one(marker, rest, end, WORD_DISTANCE, filter);
    }
    if (mode == SCAN_STACK)
        scan_ends(marker, start, end);
}

void scan_drain_rings(struct marker *marker) {
    for (;;) {
        if (marker->candidate_count > 0 && marker->object_count < SCAN_OBJECTS / 2) {
            candidate_resolve(marker);
        } else if (marker->object_count > 0) {
            struct object object = marker->objects[marker->object_head];
            marker->object_head = (marker->object_head + 1) % SCAN_OBJECTS;
            marker->object_count--;
            object_scan(marker, object);
        } else {
            return;
        }
    }
}

static void scan_resident(uintptr_t start, uintptr_t end, void *marker) {
    scan_range(marker, start, end, SCAN_WORDS);
}

/* Takes the next slice; while there is another one, the span goes back on the queue for whoever is
 * free. The object is black when its last slice was taken. */
static void scan_large(struct marker *marker, struct span *span) {
    size_t from = AO_fetch_and_add_full(&span->scanned, SLICE_BYTES);
    if (from >= span->object_bytes)
        return;
    size_t to = from + SLICE_BYTES;
    if (to < span->object_bytes) {
        queue_push(span);
    } else {
        to = span->object_bytes;
        AO_char_store(&span->states[0], object_live_colour());
    }
    if (span->object_bytes >= SPARSE_BYTES)
        maps_resident(span->base + from, span->base + to, false, scan_resident, marker);
    else
        scan_range(marker, span->base + from, span->base + to, SCAN_WORDS);
}

static bool word_has_grey(const struct span *span, unsigned index) {
    static const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t states;
    memcpy(&states, (const unsigned char *)&span->states[index], sizeof states);
    states ^= ones * OBJECT_GREY;
    return ((states - ones) & ~states & highs) != 0;
}

static void scan_small(struct marker *marker, struct span *span) {
    unsigned index = 0, count = AO_int_load(&span->object_count);
    while (index < count) {
        if (index % 8 == 0 && index + 8 <= count && !word_has_grey(span, index)) {
            index += 8;
            continue;
        }
        struct object object = {span, index++};
        if (AO_char_load(object_state(object)) == OBJECT_GREY)
            object_scan(marker, object);
    }
}

void scan_span(struct marker *marker, struct span *span) {
    if (span->span_class < 2)
        scan_large(marker, span);
    else
        scan_small(marker, span);
}
