/* From the words of memory to the addresses among them; see words.h. */
#include "mark/words.h"

#include "mark/evidence.h"
#include "os/memory.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static bool only_aligned;
static bool ends_count = true; /* before the first mark */

void scan_only_aligned(void) { only_aligned = true; }
void scan_without_ends(void) { ends_count = false; }

/* The first thing that looking it up will want. */
static inline void address_fetch(uintptr_t address) {
    __builtin_prefetch(&heap.page_spans[heap_page_of(address)]);
}

static inline void address_add(struct marker *marker, uintptr_t address) {
    address_fetch(address);
    marker->addresses[marker->address_count++] = address | marker->restriction;
    if (__builtin_expect(marker->address_count >= SCAN_ADDRESSES, 0))
        scan_resolve(marker);
}

/* What weaker evidence leads to is looked up when nothing else is left. */
static void add_found(struct marker *marker, uintptr_t found) {
    enum evidence_sort sort = evidence_sort(found);
    marker->evidence[sort].words++;
    marker->weak[marker->weak_count++] = found | marker->restriction;
    if (marker->weak_count == SCAN_WEAK)
        scan_weak(marker);
}

/* A plain address, or one under a tag. */
static inline void consider_address(struct marker *marker, uintptr_t word,
                                    enum evidence_place place) {
    uintptr_t found = 0;
    if (place == EVIDENCE_AT_BYTE) {
        if (evidence_filter.packed && heap_contains(word))
            add_found(marker, evidence_of_sort(word, EVIDENCE_PACKED));
    } else if (heap_contains(word)) {
        address_add(marker, word);
    } else if (evidence_tagged(word, &found)) {
        add_found(marker, found);
    }
}

static void consider_number(struct marker *marker, uintptr_t word) {
    uintptr_t found[EVIDENCE_NUMBERS_MOST];
    unsigned count = evidence_numbers(word, found);
    for (unsigned i = 0; i < count; i++)
        add_found(marker, found[i]);
}

static void consider_distance(struct marker *marker, struct object object, uintptr_t word) {
    uintptr_t found = 0;
    if (evidence_distance(object, word, &found))
        add_found(marker, found);
}

/* What the program makes of words that are no plain addresses. */
static struct {
    bool given;
    uintptr_t mask;
    unsigned shift;
} transformation;

void scan_words_as(uintptr_t mask, unsigned shift) {
    transformation.given = mask != UINTPTR_MAX || shift != 0;
    transformation.mask = mask;
    transformation.shift = shift;
}

static void consider_transformed(struct marker *marker, uintptr_t word) {
    uintptr_t address = (word & transformation.mask) << transformation.shift;
    if (heap_contains(address))
        address_add(marker, address);
}

void scan_word(struct marker *marker, uintptr_t word) {
    consider_address(marker, word, EVIDENCE_AT_WORD);
    consider_number(marker, word);
    if (__builtin_expect(transformation.given, 0))
        consider_transformed(marker, word);
}

static void scan_transformed(struct marker *marker, uintptr_t start, uintptr_t end) {
    for (start = (start + 7) & ~(uintptr_t)7; start + 8 <= end; start += 8)
        consider_transformed(marker, *(const volatile uintptr_t *)start);
}

static inline uintptr_t word_at(uintptr_t at) {
    uintptr_t word;
    memcpy(&word, (const void *)at, sizeof word);
    return word;
}

/* In machine code, where operands have no places, every byte is as good as any other. */
static inline enum evidence_place place_at(const struct words_range *range, uintptr_t at) {
    if (at % 8 == 0)
        return EVIDENCE_AT_WORD;
    return at % 4 == 0 || range->code ? EVIDENCE_AT_HALF : EVIDENCE_AT_BYTE;
}

void words_scan_singly(struct marker *marker, const struct words_range *range) {
    size_t step = evidence_filter.packed || range->code ? 1 : 4;
    uintptr_t at = (range->start + step - 1) & -step;
    for (; at + sizeof(uintptr_t) <= range->end; at += step) {
        enum evidence_place place = place_at(range, at);
        consider_address(marker, word_at(at), place);
        if (place != EVIDENCE_AT_WORD)
            continue;
        consider_number(marker, word_at(at));
        if (range->object)
            consider_distance(marker, *range->object, word_at(at));
    }
}

#if defined(__x86_64__)
static __attribute__((noinline)) void consider_at(struct marker *marker,
                                                  const struct words_range *range, uintptr_t at) {
    consider_address(marker, word_at(at), place_at(range, at));
}

/* Words with byte 5 at a bit of found. Most are plain addresses at a multiple of four, of which the
 * list has room for all of a block. */
static inline __attribute__((always_inline)) void consider_found(struct marker *marker,
                                                                 const struct words_range *range,
                                                                 uintptr_t block, uint32_t found) {
    uintptr_t base = heap.objects.start, bytes = AO_load(&heap.objects.committed);
    unsigned count = marker->address_count;
    for (; found != 0; found &= found - 1) {
        uintptr_t at = block - 5 + __builtin_ctz(found), word = word_at(at);
        if (__builtin_expect(at % 4 != 0, 0) || word - base >= bytes) {
            if (at % 4 == 0 && !evidence_may_be_tagged(word))
                continue;
            marker->address_count = count;
            consider_at(marker, range, at);
            count = marker->address_count;
            continue;
        }
        address_fetch(word);
        marker->addresses[count++] = word | marker->restriction;
    }
    marker->address_count = count;
    if (count >= SCAN_ADDRESSES)
        scan_resolve(marker);
}

/* Words with byte 7 at a bit of others. Small ones may be distances and are no number of any
 * language's that leads to the heap. */
static __attribute__((noinline)) void consider_others(struct marker *marker,
                                                      const struct words_range *range,
                                                      uintptr_t block, uint32_t others) {
    for (; others != 0; others &= others - 1) {
        uintptr_t word = word_at(block - 7 + __builtin_ctz(others));
        if (!evidence_is_near(word))
            consider_number(marker, word);
        else if (range->object)
            consider_distance(marker, *range->object, word);
    }
}

#define VECTOR_BYTES 16
#include "mark/vectors.h"
#undef VECTOR_BYTES
#define VECTOR_BYTES 32
#include "mark/vectors.h"

static signed char has_long_vectors; /* 1 or -1; 0 until somebody asks, and all get one answer */

void words_use_short_vectors(void) { has_long_vectors = -1; }

static bool long_vectors(void) {
    if (__builtin_expect(has_long_vectors == 0, 0))
        has_long_vectors = __builtin_cpu_supports("avx2") ? 1 : -1;
    return has_long_vectors > 0;
}

static inline void scan_with_vectors(struct marker *marker, const struct words_range *range) {
    if (range->start + sizeof(uintptr_t) > range->end)
        return;
    if (long_vectors())
        scan_by_32(marker, range);
    else
        scan_by_16(marker, range);
}

/* Vectors begin at a whole word; words that begin before it are few. */
static __attribute__((noinline)) void scan_from_a_byte(struct marker *marker,
                                                       const struct words_range *range) {
    struct words_range first = *range, rest = *range;
    rest.start = (range->start + 7) & ~(uintptr_t)7;
    first.end = rest.start + 7 < range->end ? rest.start + 7 : range->end;
    words_scan_singly(marker, &first);
    scan_with_vectors(marker, &rest);
}

void words_scan(struct marker *marker, const struct words_range *range) {
    if (range->start % sizeof(uintptr_t) == 0)
        scan_with_vectors(marker, range);
    else
        scan_from_a_byte(marker, range);
}
#else
void words_use_short_vectors(void) {}

void words_scan(struct marker *marker, const struct words_range *range) {
    words_scan_singly(marker, range);
}
#endif

/* Adds a word to the list and keeps it there if it leads to the heap: whether it does is anybody's
 * guess, the processor's too, and a branch guessed wrong costs as much as five words. */
static void scan_aligned(struct marker *marker, uintptr_t start, uintptr_t end) {
    uintptr_t base = heap.objects.start, bytes = AO_load(&heap.objects.committed);
    uintptr_t restriction = marker->restriction;
    start = (start + 7) & ~(uintptr_t)7;
    while (start + 8 <= end) {
        uintptr_t piece = end - start > SCAN_ADDRESSES * 8 ? start + SCAN_ADDRESSES * 8 : end;
        unsigned count = marker->address_count;
        for (; start + 8 <= piece; start += 8) {
            uintptr_t word = *(const volatile uintptr_t *)start;
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

/* Whether a pointer one past the end of what the program asked for may be this address, one past
 * the object that is here. */
static bool may_end_here(uintptr_t last) {
    const struct span *span = heap_span_of(last);
    return span && sizes_filled[span->span_class];
}

/* Only an address at which an object may begin can be the end of another. */
static void scan_ends(struct marker *marker, uintptr_t start, uintptr_t end) {
    for (start = (start + 7) & ~(uintptr_t)7; start + 8 <= end; start += 8) {
        uintptr_t address = *(const volatile uintptr_t *)start;
        if (address % SIZES_GRANULE == 0 && may_end_here(address - 1))
            address_add(marker, address - 1);
    }
}

void scan_range(struct marker *marker, uintptr_t start, uintptr_t end, enum scan_mode mode) {
    marker->scanned += end - start;
    if (__builtin_expect(transformation.given, 0))
        scan_transformed(marker, start, end);
    if (only_aligned && mode != SCAN_CODE)
        scan_aligned(marker, start, end);
    else
        words_scan(marker, &(struct words_range){start, end, NULL, mode == SCAN_CODE});
    if (mode == SCAN_STACK && ends_count)
        scan_ends(marker, start, end);
}

void words_scan_inside(struct marker *marker, struct object object, uintptr_t start,
                       uintptr_t end) {
    marker->scanned += end - start;
    if (transformation.given)
        scan_transformed(marker, start, end);
    if (only_aligned)
        scan_aligned(marker, start, end);
    else
        words_scan(marker, &(struct words_range){start, end, &object, false});
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
