/* The marking loop's inside; see scan.h. */
#include "mark/scan.h"

#include "heap/quarantine.h"
#include "mark/queue.h"
#include "mark/shaped.h"
#include "mark/words.h"
#include "os/resident.h"

#include <string.h>

enum {
    SLICE_BYTES = 128 << 10, /* of a large object, so that several markers can share it */
    BATCH = 48,              /* addresses looked up at once, if there are so many */
    NEWEST = 16,             /* objects off the stack that are read together */
    FETCHED_BYTES = 5 * CACHE_LINE_BYTES,
    SHARE_LEAST = 48,      /* objects in hand of which some are given away */
    SPARSE_BYTES = 1 << 20 /* from here on, only the resident pages of an object are read */
};

static bool stopped; /* written while no marker is at work */

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

static void scan_unshaped(struct marker *marker, struct object object, uintptr_t start,
                          uintptr_t end) {
    if (__builtin_expect(object.span->closed, 0))
        scan_foreign(marker, start, end, SCAN_WORDS);
    else
        words_scan_inside(marker, object, start, end);
}

static void scan_whole(struct marker *marker, struct object object, uintptr_t start,
                       uintptr_t end) {
    if (__builtin_expect(object.span->kind >= OBJECT_SHAPED, 0) && !object.span->closed)
        shaped_scan(marker, object, start, end);
    else
        scan_unshaped(marker, object, start, end);
}

/* The object was black when this marker took it on. Meanwhile it may have been freed, and its
 * span's descriptor may even tell of another span; then what is read here is other memory of the
 * heap, and keeps too much at worst. */
static void object_scan(struct marker *marker, struct object object) {
    uintptr_t start = object_address(object), end = start + object.span->object_bytes;
    if (object.index < AO_int_load(&object.span->object_count) && heap_contains(start) &&
        heap_contains(end - 1))
        scan_whole(marker, object, start, end);
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
    uintptr_t end = start + (bytes < FETCHED_BYTES ? bytes : FETCHED_BYTES);
    for (uintptr_t line = start; line < end; line += CACHE_LINE_BYTES)
        __builtin_prefetch((const void *)line);
    __builtin_prefetch((const void *)(end - 1));
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

static __attribute__((noinline)) bool meets_restrictions(struct object object, uintptr_t address) {
    if (address & SCAN_PLAIN_ONLY && object.span->kind != OBJECT_SCANNED)
        return false;
    return evidence_keeps(evidence_sort(address), object, address & ~SCAN_RESTRICTIONS);
}

static inline bool meets(struct object object, uintptr_t address) {
    return __builtin_expect((address & SCAN_RESTRICTIONS) == 0, 1) ||
           meets_restrictions(object, address);
}

struct candidate {
    struct span *span;
    uintptr_t address;
};

static unsigned find_spans(const uintptr_t *addresses, unsigned address_count,
                           struct candidate *candidates) {
    unsigned count = 0;
    for (unsigned i = 0; i < address_count; i++) {
        struct span *span = heap_span_of(addresses[i] & ~SCAN_RESTRICTIONS);
        __builtin_prefetch(span);
        candidates[count] = (struct candidate){span, addresses[i]};
        count += span != NULL;
    }
    return count;
}

/* What the candidates lead to, and with it the candidates that lead to something. */
static unsigned find_objects(struct candidate *candidates, unsigned count, struct object *objects) {
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++) {
        struct span *span = candidates[i].span;
        uintptr_t address = candidates[i].address;
        struct object object = {span, span_index(span, address & ~SCAN_RESTRICTIONS)};
        if (object.index >= AO_int_load(&span->object_count) || !meets(object, address))
            continue;
        __builtin_prefetch((const void *)object_state(object), 1);
        candidates[found] = candidates[i];
        objects[found++] = object;
    }
    return found;
}

void scan_resolve(struct marker *marker) {
    struct candidate candidates[SCAN_ADDRESSES_ROOM];
    struct object objects[SCAN_ADDRESSES_ROOM];
    unsigned count = find_spans(marker->addresses, marker->address_count, candidates);
    count = find_objects(candidates, count, objects);
    marker->address_count = 0;
    marker->gathers = queue_is_long();
    for (unsigned i = 0; i < count; i++)
        object_mark(marker, objects[i]);
}

static void mark_weak(struct marker *marker, struct object object, enum evidence_sort sort) {
    size_t objects = marker->marked_objects, bytes = marker->marked_bytes;
    object_mark(marker, object);
    marker->evidence[sort].objects += marker->marked_objects - objects;
    marker->evidence[sort].bytes += marker->marked_bytes - bytes;
}

bool scan_weak(struct marker *marker) {
    struct candidate candidates[SCAN_WEAK];
    struct object objects[SCAN_WEAK];
    bool any = marker->weak_count > 0;
    unsigned count = find_spans(marker->weak, marker->weak_count, candidates);
    count = find_objects(candidates, count, objects);
    marker->weak_count = 0;
    for (unsigned i = 0; i < count; i++)
        mark_weak(marker, objects[i], evidence_sort(candidates[i].address));
    return any;
}

static void resolve_all(struct marker *marker) {
    scan_resolve(marker);
    scan_weak(marker);
}

/* Black for the moment, so that nothing that leads to it makes it grey. */
void scan_contents(struct marker *marker, struct object object, bool ignore_self) {
    volatile unsigned char *state = object_state(object);
    unsigned char before = AO_char_load(state);
    uintptr_t start = object_address(object), end = start + object.span->object_bytes;
    if (object.span->kind == OBJECT_ATOMIC)
        return;
    resolve_all(marker);
    if (ignore_self)
        AO_char_store(state, object_live_colour());
    scan_whole(marker, object, start, end);
    resolve_all(marker);
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
    resolve_all(marker);
    give_away(marker, marker->unread_count);
    if (marker->taken_next < marker->taken_count)
        queue_append(marker->taken + marker->taken_next, marker->taken_count - marker->taken_next);
    marker->taken_next = marker->taken_count = 0;
}

void scan_drop(struct marker *marker) {
    marker->address_count = marker->weak_count = marker->unread_count = 0;
    marker->claimed_count = marker->taken_next = marker->taken_count = 0;
    marker->restriction = 0;
}

static struct object unread_take(struct marker *marker) {
    return marker->unread[--marker->unread_count];
}

/* The newest, and of these the oldest first, whose contents have been on their way for longest. */
static void scan_newest(struct marker *marker) {
    struct object newest[NEWEST];
    unsigned count = marker->unread_count < NEWEST ? marker->unread_count : NEWEST;
    marker->unread_count -= count;
    memcpy(newest, marker->unread + marker->unread_count, sizeof newest); /* fewer are all */
    for (unsigned i = 0; i < count; i++)
        object_scan(marker, newest[i]);
}

/* The addresses of several objects are looked up together. */
void scan_in_hand(struct marker *marker) {
    while (marker->scanned < marker->limit) {
        while (marker->unread_count > 0 && marker->address_count < BATCH)
            scan_newest(marker);
        if (marker->address_count == 0)
            return;
        scan_resolve(marker);
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
    end += SCAN_OVERLAP;
    if (end > part->end)
        end = part->end;
    if (start < end)
        scan_unshaped(part->marker, part->object, start, end);
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
    size_t to = from + SLICE_BYTES + SCAN_OVERLAP;
    if (from + SLICE_BYTES < bytes)
        span_queue(marker, span);
    else
        object_blacken(object);
    struct part part = {marker, object, base + from, base + (to < bytes ? to : bytes)};
    if (bytes >= SPARSE_BYTES)
        resident_each(part.start, part.end, false, scan_resident, &part);
    else
        scan_resident(part.start, part.end, &part);
}

void scan_again(struct marker *marker, struct object object, uintptr_t start, uintptr_t end) {
    uintptr_t first = object_address(object), last = first + object.span->object_bytes;
    uintptr_t low = start - SCAN_OVERLAP, high = end + SCAN_OVERLAP;
    low = low > first ? low : first;
    high = high < last ? high : last;
    if (low >= high)
        return;
    if (__builtin_expect(object.span->kind >= OBJECT_SHAPED, 0) && !object.span->closed)
        shaped_scan_again(marker, object, low, high);
    else
        scan_unshaped(marker, object, low, high);
}

/* The states of a span in words: of so many, those that are grey become black at once. */
enum { STATES = sizeof(AO_t) };

static const AO_t lowest_bits = ~(AO_t)0 / 255;

/* The lowest bit of each byte that is grey. */
static AO_t grey_states(AO_t states) {
    AO_t rest = states ^ lowest_bits * OBJECT_GREY, lows = lowest_bits * 127;
    return ~(((rest & lows) + lows) | rest | lows) >> 7;
}

static AO_t blacken_states(volatile AO_t *states) {
    AO_t step = object_live_colour() - OBJECT_GREY, seen, grey;
    do {
        seen = AO_load(states);
        grey = grey_states(seen);
    } while (grey != 0 && !AO_compare_and_swap_full(states, seen, seen + grey * step));
    return grey;
}

/* What one object leads to may take the place that it leaves. */
static void make_room(struct marker *marker) {
    while (marker->unread_count == SCAN_UNREAD)
        object_scan(marker, unread_take(marker));
}

static void take_on(struct marker *marker, struct object object) {
    make_room(marker);
    unread_add(marker, object);
}

static void scan_small(struct marker *marker, struct span *span) {
    unsigned index = 0, count = AO_int_load(&span->object_count);
    for (; index + STATES <= count; index += STATES) {
        AO_t grey = blacken_states((volatile AO_t *)&span->states[index]);
        for (; grey != 0; grey &= grey - 1)
            take_on(marker, (struct object){span, index + __builtin_ctzl(grey) / 8});
    }
    for (; index < count; index++)
        if (is_grey((struct object){span, index}) && object_blacken((struct object){span, index}))
            take_on(marker, (struct object){span, index});
}

static void fetch_states(const struct span *span) {
    unsigned count = AO_int_load(&span->object_count);
    for (unsigned index = 0; index < count; index += CACHE_LINE_BYTES)
        __builtin_prefetch(&span->states[index], 1);
}

/* Queued spans come in batches: those that have to wait are fetched meanwhile. */
static struct span *span_next(struct marker *marker) {
    if (marker->taken_next == marker->taken_count) {
        flush_claimed(marker);
        marker->taken_next = 0;
        marker->taken_count = queue_take(marker->taken, SCAN_SPANS);
        for (unsigned i = 0; i < marker->taken_count; i++)
            __builtin_prefetch(marker->taken[i]);
    }
    if (marker->taken_next == marker->taken_count)
        return NULL;
    if (marker->taken_next + 1 < marker->taken_count)
        fetch_states(marker->taken[marker->taken_next + 1]);
    return marker->taken[marker->taken_next++];
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
