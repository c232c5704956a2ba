/* Taking freed objects in, and the counts; see quarantine.h. */
#include "heap/quarantine.h"

#include "heap/layout.h"
#include "heap/object.h"
#include "heap/pages.h"
#include "heap/sweep.h"
#include "os/log.h"

#include <string.h>

struct quarantine quarantine;

volatile unsigned char quarantine_state;
static bool fills;

/* Of the mark that goes on: of objects that markers have reached, and of those freed meanwhile,
 * which this mark can say nothing about. */
static volatile AO_t reached_bytes, reached_blocks, late_bytes, late_blocks;

/* Pages of small objects look like those of large ones, whose objects are never pushed to a cache.
 */
void quarantine_start(bool fill) {
    if (quarantine_is_on() || !heap_start())
        return;
    fills = fill;
    pages_lock();
    AO_char_store_full(&quarantine_state, 1);
    size_t pages = AO_load(&heap.objects.committed) >> HEAP_PAGE_SHIFT;
    memset(heap.page_classes, 0, pages * sizeof *heap.page_classes);
    pages_unlock();
}

static void count_taken(size_t bytes) {
    size_t held = AO_fetch_and_add(&quarantine.bytes, bytes) + bytes;
    AO_fetch_and_add1(&quarantine.blocks);
    AO_fetch_and_add(&quarantine.taken_bytes, bytes);
    AO_fetch_and_add1(&quarantine.taken_blocks);
    AO_fetch_and_add(&heap.freed, bytes);
    if (held > AO_load(&quarantine.most_bytes))
        AO_store(&quarantine.most_bytes, held);
}

/* While marking runs, or else the next mark could not tell it from what was freed before. */
static void count_late(size_t bytes, bool was_white) {
    if (!AO_char_load(&heap.marking))
        return;
    AO_fetch_and_add(&late_bytes, bytes);
    AO_fetch_and_add1(&late_blocks);
    if (was_white)
        heap_count_marked(bytes);
}

enum outcome { TAKEN, NO_START, FREED_BEFORE };

/* With the set's lock. */
static enum outcome take(struct object object, uintptr_t address) {
    if (object.index >= object.span->object_count || object_address(object) != address)
        return NO_START;
    sweep_span(object.span);
    volatile unsigned char *state = object_state(object);
    if (!object_is_allocated(*state))
        return FREED_BEFORE;
    unsigned char before = object_exchange_state(state, object_live_colour() | OBJECT_QUARANTINED);
    count_taken(object.span->object_bytes);
    count_late(object.span->object_bytes, before == object_white());
    return TAKEN;
}

/* The object is filled without the lock: the caller's pointer keeps it. */
void quarantine_take(struct span *span, void *address) {
    struct span_set *set = span_set_of(span);
    lock_take(&set->lock);
    size_t bytes = span->object_bytes;
    bool closed = span->closed;
    struct object object = {span, span_index(span, (uintptr_t)address)};
    enum outcome outcome = take(object, (uintptr_t)address);
    lock_give(&set->lock);
    if (outcome == NO_START)
        log_fatal("free of %p, which is not the start of an allocated block", address);
    if (outcome == FREED_BEFORE)
        log_fatal("double free of %p (%zu bytes)", address, bytes);
    if (fills && !closed)
        memset(address, QUARANTINE_FILL, bytes);
}

bool quarantine_reach(volatile unsigned char *state, size_t bytes) {
    if (!AO_char_compare_and_swap_full(state, object_white() | OBJECT_QUARANTINED,
                                       object_live_colour() | OBJECT_QUARANTINED))
        return false;
    AO_fetch_and_add(&reached_bytes, bytes);
    AO_fetch_and_add1(&reached_blocks);
    return true;
}

void quarantine_mark_begins(void) {
    AO_store(&reached_bytes, 0);
    AO_store(&reached_blocks, 0);
    AO_store(&late_bytes, 0);
    AO_store(&late_blocks, 0);
}

size_t quarantine_mark_ended(void) {
    size_t kept = AO_load(&reached_bytes) + AO_load(&late_bytes);
    size_t released = AO_load(&quarantine.bytes) - kept;
    AO_store(&quarantine.reached_bytes, AO_load(&reached_bytes));
    AO_store(&quarantine.reached_blocks, AO_load(&reached_blocks));
    AO_store(&quarantine.bytes, kept);
    AO_store(&quarantine.blocks, AO_load(&reached_blocks) + AO_load(&late_blocks));
    AO_fetch_and_add1(&quarantine.marks);
    return released;
}
