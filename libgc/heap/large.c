/* Large objects; see large.h. */
#include "heap/large.h"

#include "heap/layout.h"
#include "heap/move.h"
#include "heap/object.h"
#include "heap/pages.h"
#include "heap/span.h"
#include "os/dirty.h"
#include "os/log.h"
#include "os/vm.h"

#include <string.h>

/* From here on pages are dropped instead of being cleared, and faulted in as zeros. For a program
 * that touches all of them that takes three times as long, but an allocation is not to take longer
 * than some milliseconds; and where few are there, more are not to come. */
enum { CLEAR_BY_RELEASE = 64 << 20, EXPECTED_WHOLE = 1 << 20 };

void large_clear(void *start, size_t bytes) {
    bool drops = bytes >= CLEAR_BY_RELEASE || move_is_sparse(start, bytes, true);
    if (!drops || !vm_release((uintptr_t)start, bytes))
        memset(start, 0, bytes);
}

/* A block that is new and about to be written counts as written, from its start to its end. Else
 * each of its pages would cost a fault while they are recorded, and two where there is none yet. */
static void expect_writes(uintptr_t start, size_t bytes) {
    if (bytes >= EXPECTED_WHOLE)
        dirty_relax(start, start + bytes);
}

void *large_take(size_t bytes, size_t alignment, enum object_kind kind, bool clear) {
    struct span_set *set = &span_sets[sizes_span_class_of(0, kind)];
    lock_take(&set->lock);
    struct span *span = span_make_large(bytes, alignment, kind);
    void *object = NULL;
    bool zeroed = false;
    if (span) {
        span_move(span, SPAN_FULL);
        object = (void *)span->base;
        zeroed = span->zeroed;
        clear = (span->stale && kind != OBJECT_ATOMIC) || (clear && !span->zeroed);
        bytes = span->object_bytes;
        heap_count_allocated(bytes);
    }
    lock_give(&set->lock);
    if (object == NULL)
        return NULL;
    if (clear || zeroed)
        expect_writes((uintptr_t)object, bytes);
    if (clear)
        large_clear(object, bytes);
    return object;
}

void large_give(struct span *span, void *address) {
    struct span_set *set = span_set_of(span);
    lock_take(&set->lock);
    if (span->base != (uintptr_t)address || span->object_count == 0) {
        lock_give(&set->lock);
        log_fatal("free of %p, which is not the start of an allocated block", address);
    }
    size_t bytes = span->object_bytes;
    bool marked = object_exchange_state(span->states, OBJECT_FREE) != object_white();
    span_move(span, SPAN_UNLISTED);
    span_destroy(span, false);
    heap_count_freed(bytes, marked ? bytes : 0);
    lock_give(&set->lock);
    pages_release_idle();
}

/* What a mark has counted of the object follows its size; one that a marker is just turning grey
 * may be counted wrong by the difference, until the next mark. */
static void count_resized(const struct span *span, size_t before, size_t after) {
    bool marked = span->states[0] != object_white();
    if (after < before)
        heap_count_freed(before - after, marked ? before - after : 0);
    else if (after > before)
        heap_count_allocated(after - before);
    if (after > before && !marked)
        heap_count_marked(before - after);
}

bool large_resize(struct span *span, size_t bytes) {
    size_t count = (bytes + HEAP_PAGE_BYTES - 1) / HEAP_PAGE_BYTES;
    struct span_set *set = span_set_of(span);
    lock_take(&set->lock);
    size_t before = span->object_bytes, after = count * HEAP_PAGE_BYTES;
    bool done = count <= UINT32_MAX;
    if (done && count > span->page_count)
        done = pages_lengthen(span, count);
    else if (done && count < span->page_count)
        pages_shorten(span, count);
    if (done) {
        span->object_bytes = after;
        count_resized(span, before, after);
    }
    lock_give(&set->lock);
    if (done && after > before && span->stale)
        large_clear((char *)span->base + before, after - before);
    return done;
}
