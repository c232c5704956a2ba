/* The marking loop's inside; see scan.h. */
#include "mark/scan.h"

#include "heap/quarantine.h"
#include "mark/queue.h"
#include "mark/shaped.h"
#include "os/maps.h"
#include "os/options.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    WORD_DISTANCE = 4,       /* bytes from one place where a pointer may be to the next */
    OVERLAP = 8,             /* a word may begin in one part of a range and end in the next */
    SLICE_BYTES = 128 << 10, /* of a large object, so that several markers can share it */
    BATCH = 16,              /* addresses looked up at once, if there are so many */
    FETCHED_BYTES = 3 * CACHE_LINE_BYTES,
    SHARE_LEAST = 48,      /* objects in hand of which some are given away */
    SPARSE_BYTES = 1 << 20 /* from here on, only the resident pages of an object are read */
};

static bool stopped;           /* written while no marker is at work */
static bool ends_count = true; /* before the first mark */

void scan_without_ends(void) { ends_count = false; }

void scan_world_stopped(bool now) { stopped = now; }

/* While the world is stopped only markers change states, and two that mark the same object at the
 * same time do no harm: it is read twice. */
static inline bool change_state(volatile unsigned char *state, unsigned char from,
                                unsigned char to) {
    if (!stopped)
        return AO_char_compare_and_swap_full(state, from, to);
    if (AO_char_load(state) != from)
        return false;
    AO_char_store(state, to);
    return true;
}

/* Grey must be seen before the span is found queued already: whoever takes that off the queue first
 * says so and then looks. A plain store may come after the look of its own thread at the queue, and
 * did: objects stayed grey, and what they led to was lost. */
static bool make_waiting(volatile unsigned char *state) {
    return AO_char_compare_and_swap_full(state, object_white(), OBJECT_GREY);
}

static bool object_blacken(struct object object) {
    return change_state(object_state(object), OBJECT_GREY, object_live_colour());
}

/* The object was black when this marker took it on. Meanwhile it may have been freed, and its
 * span's descriptor may even tell of another span; then what is read here is other memory of the
 * heap, and keeps too much at worst. */
static void object_scan(struct marker *marker, struct object object) {
    uintptr_t start = object_address(object), end = start + object.span->object_bytes;
    if (object.index < AO_int_load(&object.span->object_count) && heap_contains(start) &&
        heap_contains(end - 1))
        scan_inside(marker, object, start, end);
}

static void scan_contiguous(struct marker *marker, struct object object, uintptr_t start,
                            uintptr_t end);
static void scan_aligned(struct marker *marker, uintptr_t start, uintptr_t end);
static bool only_aligned;

void scan_inside(struct marker *marker, struct object object, uintptr_t start, uintptr_t end) {
    if (__builtin_expect(object.span->kind >= OBJECT_SHAPED, 0))
        shaped_scan(marker, object, start, end);
    else if (__builtin_expect(object.span->closed, 0))
        scan_foreign(marker, start, end, SCAN_WORDS);
    else if (__builtin_expect(only_aligned, 0)) {
        marker->scanned += end - start;
        scan_aligned(marker, start, end);
    } else
        scan_contiguous(marker, object, start, end);
}

static void flush_claimed(struct marker *marker) {
    if (marker->claimed_count > 0)
        queue_append(marker->claimed, marker->claimed_count);
    marker->claimed_count = 0;
}

static void span_queue(struct marker *marker, struct span *span) {
    if (!queue_claim(span))
        return;
    if (marker->claimed_count == SCAN_SPANS)
        flush_claimed(marker);
    marker->claimed[marker->claimed_count++] = span;
}

/* Its contents come while it waits: all of a small object, the beginning of others. */
static void unread_add(struct marker *marker, struct object object) {
    uintptr_t start = object_address(object);
    size_t bytes = object.span->object_bytes;
    __builtin_prefetch((const void *)start);
    if (bytes > CACHE_LINE_BYTES)
        __builtin_prefetch((const void *)(start + CACHE_LINE_BYTES));
    __builtin_prefetch((const void *)(start + (bytes < FETCHED_BYTES ? bytes : FETCHED_BYTES) - 1));
    marker->unread[marker->unread_count++] = object;
}

/* Its bytes count as marked, and its contents are not read. */
static void reach_quarantined(struct marker *marker, struct object object) {
    if (quarantine_reach(object_state(object), object.span->object_bytes))
        marker->marked_bytes += object.span->object_bytes;
}

/* Small scanned objects turn black and wait on the stack, others wait grey in their span. So do
 * small ones while the queue is long: they are read together with others of the same pages. */
static inline void object_mark(struct marker *marker, struct object object) {
    unsigned char white = object_white(), colour = object_live_colour();
    volatile unsigned char *state = object_state(object);
    unsigned char seen = AO_char_load(state);
    if (seen != white) {
        if (__builtin_expect(seen == (white | OBJECT_QUARANTINED), 0))
            reach_quarantined(marker, object);
        return;
    }
    bool atomic = object.span->kind == OBJECT_ATOMIC;
    bool waits = !atomic && (span_is_large(object.span) || marker->unread_count == SCAN_UNREAD ||
                             marker->gathers);
    if (waits && span_is_large(object.span))
        AO_store(&object.span->scanned, 0);
    if (!(waits ? make_waiting(state) : change_state(state, white, colour)))
        return;
    marker->marked_objects++;
    marker->marked_bytes += object.span->object_bytes;
    if (waits)
        span_queue(marker, object.span);
    else if (!atomic)
        unread_add(marker, object);
}

void scan_mark(struct marker *marker, struct object object) { object_mark(marker, object); }

void scan_keep_unread(struct marker *marker, struct object object) {
    if (!AO_char_compare_and_swap_full(object_state(object), object_white(), object_live_colour()))
        return;
    marker->marked_objects++;
    marker->marked_bytes += object.span->object_bytes;
}

#define RESTRICTIONS (SCAN_PLAIN_ONLY | SCAN_START_ONLY)

static bool meets(struct object object, uintptr_t address) {
    if (__builtin_expect((address & RESTRICTIONS) == 0, 1))
        return true;
    if (object.span->kind != OBJECT_SCANNED)
        return false;
    return !(address & SCAN_START_ONLY) || object_address(object) == (address & ~RESTRICTIONS);
}

struct candidate {
    struct span *span;
    uintptr_t address;
};

static unsigned find_spans(const struct marker *marker, struct candidate *candidates) {
    unsigned count = 0;
    for (unsigned i = 0; i < marker->address_count; i++)
        __builtin_prefetch(&heap.page_spans[heap_page_of(marker->addresses[i] & ~RESTRICTIONS)]);
    for (unsigned i = 0; i < marker->address_count; i++) {
        struct span *span = heap_span_of(marker->addresses[i] & ~RESTRICTIONS);
        __builtin_prefetch(span);
        candidates[count] = (struct candidate){span, marker->addresses[i]};
        count += span != NULL;
    }
    return count;
}

static unsigned find_objects(const struct candidate *candidates, unsigned count,
                             struct object *objects) {
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++) {
        struct span *span = candidates[i].span;
        uintptr_t address = candidates[i].address;
        struct object object = {span, span_index(span, address & ~RESTRICTIONS)};
        if (object.index >= AO_int_load(&span->object_count) || !meets(object, address))
            continue;
        __builtin_prefetch((const void *)object_state(object), 1);
        objects[found++] = object;
    }
    return found;
}

static void resolve(struct marker *marker) {
    struct candidate candidates[SCAN_ADDRESSES_ROOM];
    struct object objects[SCAN_ADDRESSES_ROOM];
    unsigned count = find_objects(candidates, find_spans(marker, candidates), objects);
    marker->address_count = 0;
    marker->gathers = queue_is_long();
    for (unsigned i = 0; i < count; i++)
        object_mark(marker, objects[i]);
}

static inline void address_add(struct marker *marker, uintptr_t address) {
    marker->addresses[marker->address_count++] = address | marker->restriction;
    if (__builtin_expect(marker->address_count == SCAN_ADDRESSES, 0))
        resolve(marker);
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
        marker->address_count = count;
        if (count >= SCAN_ADDRESSES)
            resolve(marker);
    }
}

void scan_range(struct marker *marker, uintptr_t start, uintptr_t end, enum scan_mode mode) {
    marker->scanned += end - start;
    if (mode == SCAN_CODE || options.unaligned) {
        scan_one_by_one(marker, start, end, 1, filter_make());
    } else if (only_aligned) {
        scan_aligned(marker, start, end);
    } else {
        struct filter filter = filter_make();
        start = (start + WORD_DISTANCE - 1) & ~(uintptr_t)(WORD_DISTANCE - 1);
        uintptr_t rest = scan_rounds(marker, start, end, filter);
        scan_one_by_one(marker, rest, end, WORD_DISTANCE, filter);
    }
    if (mode == SCAN_STACK && ends_count)
        scan_ends(marker, start, end);
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
    if (is_distance(word) && scan_counts_distance(object.span, base + word))
        address_add(marker, base + word);
}

#if defined(__SSE2__)
/* False when neither of two words is one. */
static bool may_have_distance(uintptr_t at) {
    const __m128i zero = _mm_setzero_si128(), ones = _mm_set1_epi32(-1);
    __m128i words = _mm_loadu_si128((const __m128i *)at);
    __m128i uppers = _mm_shuffle_epi32(words, _MM_SHUFFLE(3, 3, 1, 1));
    __m128i lowers = _mm_shuffle_epi32(words, _MM_SHUFFLE(2, 2, 0, 0));
    __m128i near = _mm_or_si128(_mm_cmpeq_epi32(uppers, zero), _mm_cmpeq_epi32(uppers, ones));
    return _mm_movemask_epi8(_mm_andnot_si128(_mm_cmpeq_epi32(lowers, zero), near)) != 0;
}
#else
static bool may_have_distance(uintptr_t at) {
    (void)at;
    return true;
}
#endif

static void scan_for_distances(struct marker *marker, struct object object, uintptr_t start,
                               uintptr_t end) {
    marker->restriction = SCAN_START_ONLY;
    for (start = (start + 7) & ~(uintptr_t)7; start + 16 <= end; start += 16) {
        if (!may_have_distance(start))
            continue;
        consider_distance(marker, object, start);
        consider_distance(marker, object, start + 8);
    }
    if (start + 8 <= end)
        consider_distance(marker, object, start);
    marker->restriction = 0;
}

static void scan_contiguous(struct marker *marker, struct object object, uintptr_t start,
                            uintptr_t end) {
    scan_range(marker, start, end, SCAN_WORDS);
    if (distances)
        scan_for_distances(marker, object, start, end);
}

void scan_plain(struct marker *marker, uintptr_t start, uintptr_t end) {
    marker->restriction = SCAN_PLAIN_ONLY;
    scan_range(marker, start, end, SCAN_WORDS);
    marker->restriction = 0;
}

bool scan_foreign(struct marker *marker, uintptr_t start, uintptr_t end, enum scan_mode mode) {
    uintptr_t copy = (uintptr_t)marker->copy;
    bool whole = true;
    start &= ~(uintptr_t)(OVERLAP - 1);
    while (start < end) {
        size_t want = end - start < SCAN_COPY_BYTES ? end - start : SCAN_COPY_BYTES;
        size_t got = maps_read(marker->copy, start, want);
        scan_range(marker, copy, copy + got, mode);
        whole &= got == want;
        if (got < want)
            start = ((start + got) & ~(uintptr_t)4095) + 4096;
        else
            start += start + got < end ? got - OVERLAP : got;
    }
    return whole;
}

/* Black for the moment, so that nothing that leads to it makes it grey. */
void scan_contents(struct marker *marker, struct object object, bool ignore_self) {
    volatile unsigned char *state = object_state(object);
    unsigned char before = AO_char_load(state);
    uintptr_t start = object_address(object), end = start + object.span->object_bytes;
    if (object.span->kind == OBJECT_ATOMIC)
        return;
    resolve(marker);
    if (ignore_self)
        AO_char_store(state, object_live_colour());
    scan_inside(marker, object, start, end);
    resolve(marker);
    if (ignore_self)
        AO_char_store(state, before);
}

/* Whoever looks at the span next reads it. One that was freed need not be. */
static void make_grey(struct marker *marker, struct object object) {
    if (AO_char_compare_and_swap_full(object_state(object), object_live_colour(), OBJECT_GREY))
        span_queue(marker, object.span);
}

/* From the bottom of the stack, whose objects tend to lead to the most. */
static void give_away(struct marker *marker, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        make_grey(marker, marker->unread[i]);
    marker->unread_count -= count;
    memmove(marker->unread, marker->unread + count, marker->unread_count * sizeof *marker->unread);
    flush_claimed(marker);
}

void scan_give_back(struct marker *marker) {
    resolve(marker);
    give_away(marker, marker->unread_count);
    if (marker->taken_next < marker->taken_count)
        queue_append(marker->taken + marker->taken_next, marker->taken_count - marker->taken_next);
    marker->taken_next = marker->taken_count = 0;
}

static struct object unread_take(struct marker *marker) {
    return marker->unread[--marker->unread_count];
}

/* The addresses of several objects are looked up together. */
void scan_in_hand(struct marker *marker) {
    while (marker->scanned < marker->limit) {
        while (marker->unread_count > 0 && marker->address_count < BATCH)
            object_scan(marker, unread_take(marker));
        if (marker->address_count == 0)
            return;
        resolve(marker);
        if (marker->unread_count >= SHARE_LEAST && queue_is_wanted())
            give_away(marker, marker->unread_count / 2);
    }
}

struct part {
    struct marker *marker;
    struct object object;
    uintptr_t start, end;
};

static void scan_resident(uintptr_t start, uintptr_t end, void *context) {
    const struct part *part = context;
    if (start < part->start)
        start = part->start;
    end += OVERLAP;
    if (end > part->end)
        end = part->end;
    if (start < end)
        scan_inside(part->marker, part->object, start, end);
}

static bool is_grey(struct object object) {
    return AO_char_load(object_state(object)) == OBJECT_GREY;
}

/* Takes the next slice; while there is another one, the span goes back on the queue for whoever is
 * free. The object is black when its last slice was taken. */
static void scan_large(struct marker *marker, struct span *span) {
    struct object object = {span, 0};
    uintptr_t base = span->base;
    size_t bytes = span->object_bytes;
    if (!is_grey(object))
        return;
    if (span->kind >= OBJECT_SHAPED) {
        if (object_blacken(object))
            object_scan(marker, object);
        return;
    }
    size_t from = AO_fetch_and_add_full(&span->scanned, SLICE_BYTES);
    if (from >= bytes) {
        object_blacken(object); /* it was made shorter between two slices */
        return;
    }
    size_t to = from + SLICE_BYTES + OVERLAP;
    if (from + SLICE_BYTES < bytes)
        span_queue(marker, span);
    else
        object_blacken(object);
    struct part part = {marker, object, base + from, base + (to < bytes ? to : bytes)};
    if (bytes >= SPARSE_BYTES)
        maps_resident(part.start, part.end, false, scan_resident, &part);
    else
        scan_resident(part.start, part.end, &part);
}

void scan_again(struct marker *marker, struct object object, uintptr_t start, uintptr_t end) {
    uintptr_t first = object_address(object), last = first + object.span->object_bytes;
    uintptr_t low = start - OVERLAP, high = end + OVERLAP;
    low = low > first ? low : first;
    high = high < last ? high : last;
    if (low < high)
        scan_inside(marker, object, low, high);
}

static bool word_has_grey(const struct span *span, unsigned index) {
    static const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t states;
    memcpy(&states, (const unsigned char *)&span->states[index], sizeof states);
    states ^= ones * OBJECT_GREY;
    return ((states - ones) & ~states & highs) != 0;
}

/* What one object leads to may take the place that it leaves. */
static void make_room(struct marker *marker) {
    while (marker->unread_count == SCAN_UNREAD)
        object_scan(marker, unread_take(marker));
}

static void scan_small(struct marker *marker, struct span *span) {
    unsigned index = 0, count = AO_int_load(&span->object_count);
    while (index < count) {
        if (index % 8 == 0 && index + 8 <= count && !word_has_grey(span, index)) {
            index += 8;
            continue;
        }
        struct object object = {span, index++};
        if (!is_grey(object) || !object_blacken(object))
            continue;
        make_room(marker);
        unread_add(marker, object);
    }
}

/* Queued spans come in batches: those that have to wait are fetched meanwhile. */
static struct span *span_next(struct marker *marker) {
    if (marker->taken_next == marker->taken_count) {
        flush_claimed(marker);
        marker->taken_next = 0;
        marker->taken_count = queue_take(marker->taken, SCAN_SPANS);
        for (unsigned i = 0; i < marker->taken_count; i++) {
            __builtin_prefetch(marker->taken[i]);
            __builtin_prefetch(marker->taken[i]->states);
        }
    }
    return marker->taken_next < marker->taken_count ? marker->taken[marker->taken_next++] : NULL;
}

bool scan_next_span(struct marker *marker) {
    struct span *span = span_next(marker);
    if (span == NULL)
        return false;
    queue_release(span);
    if (span_is_large(span))
        scan_large(marker, span);
    else
        scan_small(marker, span);
    return true;
}
