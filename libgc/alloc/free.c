/* Freeing; see alloc.h. */
#include "alloc/alloc.h"

#include "heap/closed.h"
#include "heap/large.h"
#include "heap/object.h"
#include "heap/pages.h"
#include "heap/quarantine.h"
#include "heap/sweep.h"
#include "os/clock.h"
#include "os/log.h"

enum finding { FOUND_ALLOCATED, FOUND_FREED, FOUND_NO_START, FOUND_BUSY };

/* With the registry's lock. Threads that are no more hold what they had, and flush nothing. */
static enum finding look_in_caches(unsigned span_class, const void *address) {
    enum finding finding = FOUND_ALLOCATED;
    for (struct thread *thread = thread_first(); thread; thread = thread->next) {
        if (!thread->has_cache)
            continue;
        if (cache_holds(&thread->cache, span_class, address))
            return FOUND_FREED;
        if (cache_flushes(&thread->cache, span_class) && thread_state(thread) != THREAD_GONE)
            finding = FOUND_BUSY;
    }
    return finding;
}

/* With the lock of the span's set. */
static enum finding look_in_span(struct span *span, const void *address) {
    struct object object = {span, span_index(span, (uintptr_t)address)};
    if (object.index >= span->object_count || object_address(object) != (uintptr_t)address)
        return FOUND_NO_START;
    sweep_span(span);
    return object_is_free(*object_state(object)) ? FOUND_FREED : FOUND_ALLOCATED;
}

static enum finding look_everywhere(struct span *span, const void *address) {
    struct lock *lock = &span_set_of(span)->lock;
    lock_take(&thread_registry_lock);
    lock_take(lock);
    enum finding finding = look_in_span(span, address);
    if (finding == FOUND_ALLOCATED)
        finding = look_in_caches(span->span_class, address);
    lock_give(lock);
    lock_give(&thread_registry_lock);
    return finding;
}

enum { BUSY_NAP = 20000 /* nanoseconds */, BUSY_NAPS = 1000 };

/* The object has the key that freed objects have: it was freed before, or holds a copy of what was
 * in one. What another thread is just taking out of its cache is nowhere for a moment. */
static void expect_allocated(struct span *span, void *address, const char *call) {
    enum finding finding = look_everywhere(span, address);
    for (int naps = 0; finding == FOUND_BUSY && naps < BUSY_NAPS; naps++) {
        clock_nap(BUSY_NAP);
        finding = look_everywhere(span, address);
    }
    if (finding == FOUND_FREED)
        log_fatal("%s of %p (%zu bytes)", call, address, span->object_bytes);
    if (finding == FOUND_NO_START)
        log_fatal("free of %p, which is not the start of an allocated block", address);
}

/* Shaped objects have no key: mark procedures may be shown what a thread has in its cache, and take
 * it for an object that is all zero. So what other threads have is told when they flush. */
static void expect_uncached(struct thread *thread, unsigned span_class, void *address) {
    if (thread->has_cache && cache_holds(&thread->cache, span_class, address))
        log_fatal("double free of %p", address);
}

/* Who has the key may also be an address at which no object begins, or the thread has no cache, or
 * its bin is full. */
static void free_small(struct span *span, void *address) {
    struct thread *thread = thread_current();
    unsigned span_class = span->span_class;
    if ((uintptr_t)address % SIZES_GRANULE != 0)
        log_fatal("free of %p, which is not the start of an allocated block", address);
    if (span->kind >= OBJECT_SHAPED)
        expect_uncached(thread, span_class, address);
    else if (cache_has_key(address))
        expect_allocated(span, address, "double free");
    else
        *cache_key_of(address) = CACHE_KEY;
    if (!thread->has_cache) {
        cache_give_uncached(span_class, address);
        return;
    }
    struct cache_bin *bin = &thread->cache.bins[span_class];
    if (bin->count >= bin->limit && cache_flush(&thread->cache, span_class))
        thread->outruns = true;
    cache_put(bin, address);
}

void free_expect_allocated(void *address, const char *call) {
    struct span *span = heap_span_of((uintptr_t)address);
    if (span && !span_is_large(span) && !quarantine_is_on() &&
        (uintptr_t)address % SIZES_GRANULE == 0 && cache_has_key(address))
        expect_allocated(span, address, call);
}

bool (*alloc_lent_hook)(void *object, size_t bytes);

void alloc_lend(uintptr_t address) {
    struct object object;
    if (!object_find(address, &object))
        return;
    struct lock *lock = &span_set_of(object.span)->lock;
    lock_take(lock);
    object.span->lent = true;
    pages_hide_class(object.span);
    lock_give(lock);
}

/* Memory that is not ours belongs to another allocator of the process and is left alone. */
void free_slow(void *object) {
    if (!heap_contains((uintptr_t)object))
        return;
    struct span *span = heap_span_of((uintptr_t)object);
    if (span == NULL || span->object_count == 0)
        log_fatal("free of %p, which is not allocated", object);
    if (span->lent && alloc_lent_hook && alloc_lent_hook(object, span->object_bytes))
        return;
    if (quarantine_is_on())
        quarantine_take(span, object);
    else if (__builtin_expect(span->closed, 0) &&
             !closed_restore((uintptr_t)object, span->object_bytes))
        return; /* it cannot be used again */
    else if (span_is_large(span))
        large_give(span, object);
    else
        free_small(span, object);
}

void free_uncached(void *object) {
    struct span *span = heap_span_of((uintptr_t)object);
    if (span_is_large(span))
        large_give(span, object);
    else
        cache_give_uncached(span->span_class, object);
}
