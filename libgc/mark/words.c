/* From the words of memory to the addresses among them; see words.h. */
#include "mark/words.h"

#include "os/memory.h"
#include "os/options.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { WORD_DISTANCE = 4 /* bytes from one place where a pointer may be to the next */ };

static bool only_aligned;
static bool ends_count = true; /* before the first mark */

void scan_without_ends(void) { ends_count = false; }

/* The first thing that looking it up will want. */
static inline void address_fetch(uintptr_t address) {
    __builtin_prefetch(&heap.page_spans[heap_page_of(address)]);
}

static inline void address_add(struct marker *marker, uintptr_t address) {
    address_fetch(address);
    marker->addresses[marker->address_count++] = address | marker->restriction;
    if (__builtin_expect(marker->address_count == SCAN_ADDRESSES, 0))
        scan_resolve(marker);
}

static uintptr_t word_mask(void) { return options.mask ? ((uintptr_t)1 << 48) - 1 : UINTPTR_MAX; }

/* What the upper half of an address of ours looks like. Few words that are none pass that test, and
 * it works alike for addresses at multiples of eight and, as in packed structures, of four. The
 * lowest is kept negative, because our own variables are roots. */
static struct { uint32_t mask, minus_lowest, range; } filter;

void scan_word(struct marker *marker, uintptr_t word) {
    word &= word_mask();
    if (heap_contains(word))
        address_add(marker, word);
}

static void consider_at(struct marker *marker, uintptr_t at) {
    uintptr_t word;
    memcpy(&word, (const void *)at, sizeof word);
    scan_word(marker, word);
}

static void scan_one_by_one(struct marker *marker, uintptr_t start, uintptr_t end, size_t step) {
    for (; start + sizeof(uintptr_t) <= end; start += step) {
        uint32_t upper;
        memcpy(&upper, (const char *)start + 4, sizeof upper);
        if ((upper & filter.mask) + filter.minus_lowest <= filter.range)
            consider_at(marker, start);
    }
}

/* Whether a pointer one past the end of what the program asked for may be this address, one past
 * the object that is here. */
static bool may_end_here(uintptr_t last) {
    const struct span *span = heap_span_of(last);
    return span && sizes_filled[span->span_class];
}

/* Only an address at which an object may begin can be the end of another. */
static void scan_ends(struct marker *marker, uintptr_t start, uintptr_t end) {
    uintptr_t mask = word_mask();
    for (start = (start + 7) & ~(uintptr_t)7; start + 8 <= end; start += 8) {
        uintptr_t address = *(const volatile uintptr_t *)start & mask;
        if (address % SIZES_GRANULE == 0 && may_end_here(address - 1))
            address_add(marker, address - 1);
    }
}

void scan_only_aligned(void) { only_aligned = true; }

/* Adds a word to the list and keeps it there if it leads to the heap: whether it does is anybody's
 * guess, the processor's too, and a branch guessed wrong costs as much as five words. */
static void scan_aligned(struct marker *marker, uintptr_t start, uintptr_t end) {
    uintptr_t base = heap.objects.start, bytes = AO_load(&heap.objects.committed);
    uintptr_t mask = word_mask(), restriction = marker->restriction;
    start = (start + 7) & ~(uintptr_t)7;
    while (start + 8 <= end) {
        uintptr_t piece = end - start > SCAN_ADDRESSES * 8 ? start + SCAN_ADDRESSES * 8 : end;
        unsigned count = marker->address_count;
        for (; start + 8 <= piece; start += 8) {
            uintptr_t word = *(const volatile uintptr_t *)start & mask;
            marker->addresses[count] = word | restriction;
            count += word - base < bytes;
        }
        for (unsigned i = marker->address_count; i < count; i++)
            address_fetch(marker->addresses[i] & ~SCAN_RESTRICTIONS);
        marker->address_count = count;
        if (count >= SCAN_ADDRESSES)
            scan_resolve(marker);
    }
}

static bool distances, only_to_others;

void scan_distances(void) { distances = true; }
void scan_distances_to_others(void) { only_to_others = distances = true; }

bool scan_counts_distance(const struct span *from, uintptr_t to) {
    const struct span *span;
    if (!heap_contains(to))
        return false;
    return !only_to_others ||
           ((span = heap_span_of(to)) != NULL && span->span_class != from->span_class);
}

/* A word that may be a distance to another object: not zero, a multiple of what objects are aligned
 * to, less than four gigabytes. */
static bool is_distance(uint64_t word) {
    uint32_t upper = word >> 32, lower = word;
    return (upper == 0 || upper == UINT32_MAX) && lower != 0 && lower % SIZES_GRANULE == 0;
}

static void consider_distance(struct marker *marker, struct object object, uintptr_t at) {
    uintptr_t base = object_address(object);
    uint64_t word;
    memcpy(&word, (const void *)at, sizeof word);
    if (!is_distance(word) || !scan_counts_distance(object.span, base + word))
        return;
    marker->restriction = SCAN_START_ONLY;
    address_add(marker, base + word);
    marker->restriction = 0;
}

static void consider_distances(struct marker *marker, struct object object, uintptr_t at) {
    consider_distance(marker, object, at);
    consider_distance(marker, object, at + 8);
}

#if defined(__SSE2__)
enum { VECTOR_BYTES = 16, EVERY_LANE = 15 };

/* The filter for four half words at once. SSE2 can only compare signed numbers, hence the flipped
 * sign bits. Where distances count, those half words that are the upper one of an aligned word. */
static struct wide_filter {
    __m128i mask, offset, most, uppers;
} without_distances, with_distances = {.uppers = {-((int64_t)1 << 32), -((int64_t)1 << 32)}};

static void filter_widen(struct wide_filter *wide) {
    wide->mask = _mm_set1_epi32(filter.mask);
    wide->offset = _mm_set1_epi32(0x80000000u + filter.minus_lowest);
    wide->most = _mm_set1_epi32(filter.range ^ 0x80000000u);
}

static void filters_widen(void) {
    filter_widen(&without_distances);
    filter_widen(&with_distances);
}

static inline unsigned lanes_set(__m128i lanes) { return _mm_movemask_ps(_mm_castsi128_ps(lanes)); }

/* Which half words may not be the upper one of an address. */
static inline __m128i lanes_failing(__m128i lanes, const struct wide_filter *filter) {
    lanes = _mm_add_epi32(_mm_and_si128(lanes, filter->mask), filter->offset);
    return _mm_cmpgt_epi32(lanes, filter->most);
}

/* Which half words may be the upper one of a distance: near zero, but not zero. */
static inline __m128i lanes_near(__m128i lanes, const struct wide_filter *filter) {
    __m128i zero = _mm_cmpeq_epi32(lanes, _mm_setzero_si128());
    __m128i near = _mm_or_si128(zero, _mm_cmpeq_epi32(lanes, _mm_set1_epi32(-1)));
    return _mm_and_si128(_mm_andnot_si128(_mm_slli_epi64(zero, 32), near), filter->uppers);
}

/* The first vector that is not of the kind that most are: text and numbers. */
static inline uintptr_t skip_vectors(uintptr_t start, uintptr_t end,
                                     const struct wide_filter *filter) {
    for (; start + VECTOR_BYTES <= end; start += VECTOR_BYTES) {
        __m128i lanes = _mm_loadu_si128((const __m128i *)start);
        __m128i plain = _mm_andnot_si128(lanes_near(lanes, filter), lanes_failing(lanes, filter));
        if (__builtin_expect(lanes_set(plain) != EVERY_LANE, 0))
            break;
    }
    return start;
}

/* Considers all words that end in whole vectors from first on; returns where the first of the
 * others begins. With an object, considers distances in those vectors, too. A vector is looked at
 * for what may be the upper half of a word; the lower half may lie in the vector before, but for
 * the first. */
static inline uintptr_t scan_vectors(struct marker *marker, uintptr_t first, uintptr_t end,
                                     const struct object *object) {
    const struct wide_filter *wide = object ? &with_distances : &without_distances;
    uintptr_t start = first;
    while ((start = skip_vectors(start, end, wide)) + VECTOR_BYTES <= end) {
        __m128i lanes = _mm_loadu_si128((const __m128i *)start);
        unsigned found = lanes_set(lanes_failing(lanes, wide)) ^ EVERY_LANE;
        found &= start > first ? EVERY_LANE : EVERY_LANE - 1;
        for (; found != 0; found &= found - 1)
            consider_at(marker, start - 4 + 4 * __builtin_ctz(found));
        if (lanes_set(lanes_near(lanes, wide)) != 0)
            consider_distances(marker, *object, start);
        start += VECTOR_BYTES;
    }
    return start > first ? start - 4 : first;
}
#else
static void filters_widen(void) {}

static uintptr_t scan_vectors(struct marker *marker, uintptr_t start, uintptr_t end,
                              const struct object *object) {
    for (uintptr_t at = start; object && at + 16 <= end; at += 16)
        consider_distances(marker, *object, at);
    return start;
}
#endif

void words_prepare(void) {
    uintptr_t base = heap.objects.start, last = base + heap.objects.reserved - 1;
    filter.mask = word_mask() >> 32;
    filter.minus_lowest = -(uint32_t)(base >> 32);
    filter.range = (last >> 32) - (base >> 32);
    filters_widen();
}

/* All words of a range, whose ends are multiples of four. With an object, of which the range is a
 * part of whole words, distances, too. */
static void scan_words(struct marker *marker, uintptr_t start, uintptr_t end,
                       const struct object *object) {
    uintptr_t rest = scan_vectors(marker, start, end, object);
    scan_one_by_one(marker, rest, end, WORD_DISTANCE);
    if (object && (end - start) % 16 >= 8)
        consider_distance(marker, *object, end - 8);
}

void scan_range(struct marker *marker, uintptr_t start, uintptr_t end, enum scan_mode mode) {
    marker->scanned += end - start;
    if (mode == SCAN_CODE || options.unaligned)
        scan_one_by_one(marker, start, end, 1);
    else if (only_aligned)
        scan_aligned(marker, start, end);
    else
        scan_words(marker, (start + WORD_DISTANCE - 1) & ~(uintptr_t)(WORD_DISTANCE - 1), end,
                   NULL);
    if (mode == SCAN_STACK && ends_count)
        scan_ends(marker, start, end);
}

void words_scan_inside(struct marker *marker, struct object object, uintptr_t start,
                       uintptr_t end) {
    if (only_aligned || !distances) {
        scan_range(marker, start, end, SCAN_WORDS);
        return;
    }
    marker->scanned += end - start;
    if (options.unaligned)
        scan_one_by_one(marker, start, end, 1);
    scan_words(marker, start, end, &object);
}

void scan_plain(struct marker *marker, uintptr_t start, uintptr_t end) {
    marker->restriction = SCAN_PLAIN_ONLY;
    scan_range(marker, start, end, SCAN_WORDS);
    marker->restriction = 0;
}

bool scan_foreign(struct marker *marker, uintptr_t start, uintptr_t end, enum scan_mode mode) {
    uintptr_t copy = (uintptr_t)marker->copy;
    bool whole = true;
    start &= ~(uintptr_t)(SCAN_OVERLAP - 1);
    while (start < end) {
        size_t want = end - start < SCAN_COPY_BYTES ? end - start : SCAN_COPY_BYTES;
        size_t got = memory_read(marker->copy, start, want);
        scan_range(marker, copy, copy + got, mode);
        whole &= got == want;
        if (got < want)
            start = ((start + got) & ~(uintptr_t)4095) + 4096;
        else
            start += start + got < end ? got - SCAN_OVERLAP : got;
    }
    return whole;
}
