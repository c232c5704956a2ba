/* mprotect and madvise(MADV_DONTFORK) on memory that came from malloc: guard pages of stacks that a
 * program cut out of a block, code that it made read-only, buffers of devices.
 *
 * A marker that read such memory would crash, and so would whoever cleared it. So the spans it lies
 * in are marked closed (heap/span.h) as long as any part of them is, which is decided while nothing
 * marks. In the child of a fork, memory that was not to be inherited stays closed.
 */
#include "real.h"

#include "cycle/cycle.h"
#include "heap/layout.h"
#include "heap/span.h"
#include "os/vm.h"
#include "thread/thread.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_CLOSED = 1 << 16 };

struct range {
    uintptr_t start, end;
};

/* Ranges of the heap that are closed now. All under the cycle's lock. */
static struct vm_region region;
static size_t count;

static struct range *ranges(void) { return (struct range *)region.start; }

static bool is_in_heap(uintptr_t start, size_t bytes) {
    return AO_load((volatile AO_t *)&heap.page_spans) != 0 &&
           start < heap.objects.start + AO_load(&heap.objects.committed) &&
           start + bytes > heap.objects.start;
}

static bool add(uintptr_t start, uintptr_t end) {
    size_t bytes = MOST_CLOSED * sizeof(struct range);
    if (region.reserved == 0 && !vm_region_make(&region, bytes))
        return false;
    if (count == MOST_CLOSED)
        return false;
    ranges()[count++] = (struct range){start, end};
    return true;
}

/* What is left of ranges that stick out stays. False when there is no room for two parts of one. */
static bool subtract(uintptr_t start, uintptr_t end) {
    bool done = true;
    for (size_t i = 0; i < count; i++) {
        struct range range = ranges()[i];
        if (range.end <= start || end <= range.start)
            continue;
        ranges()[i--] = ranges()[--count];
        if (range.start < start)
            done &= add(range.start, start);
        if (end < range.end)
            done &= add(end, range.end);
    }
    return done;
}

static bool is_closed(const struct span *span) {
    uintptr_t end = span->base + (uintptr_t)span->page_count * HEAP_PAGE_BYTES;
    for (size_t i = 0; i < count; i++)
        if (ranges()[i].start < end && span->base < ranges()[i].end)
            return true;
    return false;
}

static void update_spans(uintptr_t start, uintptr_t end) {
    for (start &= ~(uintptr_t)(HEAP_PAGE_BYTES - 1); start < end; start += HEAP_PAGE_BYTES) {
        struct span *span = heap_span_of(start);
        if (span == NULL)
            continue;
        struct span_set *set = span_set_of(span);
        lock_take(&set->lock);
        span->closed = is_closed(span);
        lock_give(&set->lock);
    }
}

struct change {
    uintptr_t start, end;
    bool closes;
};

/* Opening what cannot be remembered in parts leaves all of it closed, which is safe. */
static void change(void *context) {
    const struct change *change = context;
    if (subtract(change->start, change->end) && change->closes)
        add(change->start, change->end);
    update_spans(change->start, change->end);
}

/* Closed before the kernel closes it, open after the kernel has opened it. */
static void announce(void *address, size_t bytes, bool closes) {
    size_t page = vm_page_bytes();
    uintptr_t start = (uintptr_t)address;
    struct change to = {start, (start + bytes + page - 1) & ~(page - 1), closes};
    if (thread_in_own_process() && is_in_heap(start, to.end - start))
        cycle_while_idle(change, &to);
}

#define CHANGED(address, bytes, closes, call)                                                      \
    ({                                                                                             \
        if (closes)                                                                                \
            announce(address, bytes, true);                                                        \
        int result_ = (call);                                                                      \
        if (result_ == 0 && !(closes))                                                             \
            announce(address, bytes, false);                                                       \
        result_;                                                                                   \
    })

static bool closes(int protection) {
    return (protection & (PROT_READ | PROT_WRITE)) != (PROT_READ | PROT_WRITE);
}

TITHE_EXPORT int mprotect(void *address, size_t bytes, int protection) {
    return CHANGED(address, bytes, closes(protection), REAL(mprotect)(address, bytes, protection));
}

TITHE_EXPORT int pkey_mprotect(void *address, size_t bytes, int protection, int key) {
    return CHANGED(address, bytes, closes(protection) || key > 0,
                   REAL(pkey_mprotect)(address, bytes, protection, key));
}

TITHE_EXPORT int madvise(void *address, size_t bytes, int advice) {
    switch (advice) {
    case MADV_DONTFORK:
        return CHANGED(address, bytes, true, REAL(madvise)(address, bytes, advice));
    case MADV_DOFORK:
        return CHANGED(address, bytes, false, REAL(madvise)(address, bytes, advice));
    default:
        return REAL(madvise)(address, bytes, advice);
    }
}
