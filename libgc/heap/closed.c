/* A sorted list of ranges, and pages made ours again; see closed.h. */
#include "heap/closed.h"

#include "heap/layout.h"
#include "heap/pages.h"
#include "heap/span.h"
#include "os/dirty.h"
#include "os/vm.h"

#include <string.h>
#include <sys/mman.h>

enum { MOST_RANGES = 1 << 16 };

/* Offsets in the heap. Sorted, and none overlaps another. */
struct entry {
    size_t start, end;
    unsigned char kind, protection;
};

static struct lock lock = LOCK_OF(RANK_CLOSED);
static bool heap_is_locked; /* by whoever has the cycle's lock, which guards this */
static struct vm_region region;
static volatile AO_t count; /* written with the lock; read without it as a glance */

/* How often pages were opened or made ours. Written with the lock; who reads it before a look at
 * the maps, without the lock, needs an old value at most, and compares with the lock. */
static volatile AO_t changes;

/* What was opened again: its spans are marked closed until nothing marks. With the lock. */
enum { MOST_OPENED = 1024 };
static struct entry opened[MOST_OPENED];
static unsigned opened_count;
static bool opened_lost; /* there were more since nothing marked */

static struct entry *entries(void) { return (struct entry *)region.start; }

void closed_lock(void) {
    lock_take(&lock);
    heap_is_locked = true;
}

void closed_unlock(void) {
    heap_is_locked = false;
    lock_give(&lock);
}

bool closed_exist(void) { return AO_load(&count) > 0; }

/* For whoever has the cycle's lock, and perhaps all locks of the heap already. */
static void take_lock(void) {
    if (!heap_is_locked)
        lock_take(&lock);
}

static void give_lock(void) {
    if (!heap_is_locked)
        lock_give(&lock);
}

/* The first entry that ends behind an offset. */
static size_t first_behind(size_t offset) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (entries()[middle].end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool overlaps(size_t start, size_t end) {
    size_t at = first_behind(start);
    return at < count && entries()[at].start < end;
}

static bool has_room(size_t more) {
    size_t bytes = MOST_RANGES * sizeof(struct entry);
    return (region.reserved > 0 || vm_region_make(&region, bytes)) && count + more <= MOST_RANGES;
}

/* Puts new entries in the place of old ones. */
static void replace(size_t at, size_t old, const struct entry *new, size_t new_count) {
    memmove(entries() + at + new_count, entries() + at + old,
            (count - at - old) * sizeof(struct entry));
    memcpy(entries() + at, new, new_count * sizeof *new);
    AO_store(&count, count - old + new_count);
}

/* Takes the range out of the list: what is left of entries that stick out of it stays. There must
 * be room for one more. */
static void subtract(size_t start, size_t end) {
    size_t at = first_behind(start), behind = at, parts = 0;
    struct entry left[2];
    while (behind < count && entries()[behind].start < end)
        behind++;
    if (at == behind)
        return;
    struct entry first = entries()[at], last = entries()[behind - 1];
    if (first.start < start) {
        first.end = start;
        left[parts++] = first;
    }
    if (last.end > end) {
        last.start = end;
        left[parts++] = last;
    }
    replace(at, behind - at, left, parts);
}

static void update_span(struct span *span, bool closed) {
    span->closed = closed;
    pages_set_hidden(span, closed || span->lent);
}

/* With the locks of the span's set and of pages. True if it was not marked closed before. */
static bool look_at_span(struct span *span, bool heap_locked) {
    size_t start = span->base - heap.objects.start;
    bool before = span->closed;
    if (!heap_locked)
        lock_take(&lock);
    bool closed = overlaps(start, start + (size_t)span->page_count * HEAP_PAGE_BYTES);
    if (!heap_locked)
        lock_give(&lock);
    if (closed != before)
        update_span(span, closed);
    return closed && !before;
}

static bool look_at_span_of(struct span *span, bool heap_locked) {
    if (heap_locked)
        return look_at_span(span, true);
    struct lock *set_lock = &span_set_of(span)->lock;
    lock_take(set_lock);
    pages_lock();
    bool fresh = look_at_span(span, false);
    pages_unlock();
    lock_give(set_lock);
    return fresh;
}

/* True if a span was marked closed that was not before. */
static bool look_at_spans(size_t start, size_t end, bool heap_locked) {
    bool fresh = false;
    const struct span *last = NULL;
    for (start &= ~(size_t)(HEAP_PAGE_BYTES - 1); start < end; start += HEAP_PAGE_BYTES) {
        struct span *span = heap_span_of(heap.objects.start + start);
        if (span && span != last)
            fresh |= look_at_span_of(span, heap_locked);
        last = span;
    }
    return fresh;
}

/* Seen is NULL, or the count of changes since which there must have been none. */
static enum closed_told tell(struct closed range, bool heap_locked, const size_t *seen) {
    size_t start = range.start - heap.objects.start, end = range.end - heap.objects.start;
    struct entry entry = {start, end, range.kind, range.protection};
    if (!heap_locked)
        lock_take(&lock);
    bool outdated = seen && *seen != AO_load(&changes), told = !outdated && has_room(2);
    if (told) {
        subtract(start, end);
        replace(first_behind(start), 0, &entry, 1);
    }
    if (!heap_locked)
        lock_give(&lock);
    if (!told)
        return outdated ? CLOSED_OUTDATED : CLOSED_TOO_MANY;
    return look_at_spans(start, end, heap_locked) ? CLOSED_FRESHLY : CLOSED_BEFORE;
}

enum closed_told closed_tell(struct closed range, bool heap_locked) {
    return tell(range, heap_locked, NULL);
}

enum closed_told closed_tell_found(struct closed range, bool heap_locked, size_t seen) {
    return tell(range, heap_locked, &seen);
}

size_t closed_changes(void) { return AO_load_acquire(&changes); }

static void count_change(void) { AO_store(&changes, AO_load(&changes) + 1); }

/* Markers go on reading its spans with care until none marks; so closing it again is no matter for
 * them. What is not remembered stays so, which is slower and no harm. */
static void remember_open(size_t start, size_t end) {
    for (unsigned i = 0; i < opened_count; i++)
        if (opened[i].start <= start && end <= opened[i].end)
            return;
    if (opened_count < MOST_OPENED)
        opened[opened_count++] = (struct entry){.start = start, .end = end};
    else
        opened_lost = true;
}

/* Without room for two parts of one it stays closed, which is safe. */
void closed_tell_open(uintptr_t start, uintptr_t end) {
    start -= heap.objects.start;
    end -= heap.objects.start;
    lock_take(&lock);
    count_change();
    if (overlaps(start, end) && has_room(1)) {
        subtract(start, end);
        remember_open(start, end);
    }
    lock_give(&lock);
}

bool closed_knows(uintptr_t start, uintptr_t end) {
    size_t from = start - heap.objects.start, to = end - heap.objects.start;
    take_lock();
    for (size_t at = first_behind(from); from < to && at < count; at++) {
        if (entries()[at].start > from)
            break;
        from = entries()[at].end;
    }
    give_lock();
    return from >= to;
}

static bool make_ours(uintptr_t start, size_t bytes, enum closed_kind kind) {
    int protection = PROT_READ | PROT_WRITE | (heap.objects.executable ? PROT_EXEC : 0);
    switch (kind) {
    case CLOSED_PROTECTED:
        if (vm_protect(start, bytes, protection))
            return true;
        break;
    case CLOSED_KEYED:
        if (vm_protect_without_key(start, bytes, protection))
            return true;
        break;
    case CLOSED_GUARDED:
        if (vm_advise(start, bytes, VM_GUARD_REMOVE))
            return true;
        break;
    case CLOSED_TO_CHILDREN:
        if (vm_advise(start, bytes, MADV_DOFORK))
            return true;
        break;
    case CLOSED_REPLACED:
        break;
    }
    if (!vm_replace(start, bytes, protection))
        return false;
    dirty_track_again(start, start + bytes);
    return true;
}

bool closed_restore(uintptr_t start, size_t bytes) {
    size_t page = vm_page_bytes();
    size_t first = (start - heap.objects.start + page - 1) & ~(page - 1), from = first;
    size_t to = (start - heap.objects.start + bytes) & ~(page - 1);
    bool done = true;
    lock_take(&lock);
    for (size_t at; from < to && done && (at = first_behind(from)) < count;) {
        struct entry entry = entries()[at];
        if (entry.start >= to)
            break;
        size_t low = entry.start > from ? entry.start : from,
               high = entry.end < to ? entry.end : to;
        done = has_room(1) && make_ours(heap.objects.start + low, high - low, entry.kind);
        count_change();
        if (done)
            subtract(low, high);
        from = high;
    }
    if (done && bytes <= SIZES_LARGEST_SMALL)
        remember_open(first, to);
    lock_give(&lock);
    return done;
}

static bool take_opened(struct entry *entry) {
    lock_take(&lock);
    bool any = opened_count > 0;
    if (any)
        *entry = opened[--opened_count];
    else
        opened_lost = false;
    lock_give(&lock);
    return any;
}

void closed_settle(void) {
    struct entry entry;
    while (take_opened(&entry))
        look_at_spans(entry.start, entry.end, false);
}

/* The first entry that ends behind an offset; one of no bytes when there is none. */
static struct entry next_entry(size_t offset) {
    take_lock();
    size_t at = first_behind(offset);
    struct entry entry = at < count ? entries()[at] : (struct entry){0};
    give_lock();
    return entry;
}

void closed_each_between(uintptr_t start, uintptr_t end,
                         void (*visit)(const struct closed *range, void *context), void *context) {
    size_t base = heap.objects.start, at = start - base;
    for (struct entry entry; (entry = next_entry(at)).end > 0 && base + entry.start < end;) {
        struct closed range = {base + entry.start, base + entry.end, entry.kind, entry.protection};
        visit(&range, context);
        at = entry.end;
    }
}

bool closed_each_opened(void (*visit)(uintptr_t start, uintptr_t end)) {
    for (unsigned i = 0; i < opened_count; i++)
        visit(heap.objects.start + opened[i].start, heap.objects.start + opened[i].end);
    return !opened_lost;
}

void closed_each_own(uintptr_t start, uintptr_t end,
                     void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context) {
    size_t base = heap.objects.start, at = start - base;
    for (struct entry entry; (entry = next_entry(at)).end > 0 && base + entry.start < end;) {
        at = entry.end;
        if (entry.kind != CLOSED_REPLACED)
            continue;
        if (base + entry.start > start)
            visit(start, base + entry.start, context);
        start = base + entry.end;
    }
    if (start < end)
        visit(start, end, context);
}

size_t closed_replaced_count(void) { return AO_load(&count); }

/* Nobody else may be given the addresses meanwhile. */
void closed_after_fork(void) {
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = &entries()[i];
        if (entry->kind != CLOSED_TO_CHILDREN)
            continue;
        vm_replace(heap.objects.start + entry->start, entry->end - entry->start, PROT_NONE);
        entry->kind = CLOSED_REPLACED;
    }
}
