/* The slow paths of allocation; see alloc.h. */
#include "alloc/alloc.h"

#include "cycle/cycle.h"
#include "cycle/pace.h"
#include "heap/large.h"
#include "heap/object.h"
#include "thread/thread.h"

#include <stdint.h>
#include <string.h>

/* One try, from the cache if the thread has one. */
static void *take_small(unsigned span_class) {
    struct thread *thread = thread_current();
    if (!thread->has_cache)
        return heap_start() ? cache_take_uncached(span_class) : NULL;
    void *object = cache_pop(&thread->cache.bins[span_class]);
    if (object == NULL && cache_refill(&thread->cache, span_class))
        object = cache_pop(&thread->cache.bins[span_class]);
    return object;
}

static void *take_large(size_t bytes, size_t alignment, enum object_kind kind, bool clear) {
    if (thread_current() == &thread_left && !heap_start())
        return NULL;
    return large_take(bytes, alignment, kind, clear);
}

/* What can be done when there is no memory, one step after the other; a step that cannot help is
 * passed over. Collecting helps to stay below a limit only if something was allocated since the
 * last time, but where the system itself has no more it is always tried. Others may be faster, so a
 * limit is exceeded as often as that helps. */
enum relief { RELIEF_LOOK, RELIEF_COLLECT, RELIEF_EXCEED, RELIEF_NONE };

/* False when there is no more to do. */
static bool relieve(enum relief *step) {
    bool collects = pace_has_grown();
    if (*step == RELIEF_LOOK) {
        *step = RELIEF_COLLECT;
        if (!cycle_is_ended() && pace_look_for_room())
            return true;
    }
    if (*step == RELIEF_COLLECT) {
        *step = RELIEF_EXCEED;
        if (collects && cycle_collect(CYCLE_OUT_OF_MEMORY))
            return true;
    }
    if (*step == RELIEF_NONE || pace_exceed_limit())
        return *step != RELIEF_NONE;
    *step = RELIEF_NONE;
    return !collects && cycle_collect(CYCLE_OUT_OF_MEMORY);
}

static void *alloc_small(unsigned span_class) {
    enum relief step = RELIEF_LOOK;
    void *object;
    thread_current();
    cycle_poll(cache_refill_bytes(&thread_self->cache, span_class));
    do
        object = take_small(span_class);
    while (object == NULL && relieve(&step));
    return object;
}

static void *alloc_large(size_t bytes, size_t alignment, enum object_kind kind, bool clear) {
    enum relief step = RELIEF_LOOK;
    void *object;
    thread_current();
    if (bytes > PTRDIFF_MAX)
        return NULL;
    cycle_poll(bytes);
    do
        object = take_large(bytes, alignment, kind, clear);
    while (object == NULL && relieve(&step));
    return object;
}

static unsigned noted_class(size_t bytes, enum object_kind kind) {
    unsigned span_class = sizes_span_class(bytes, kind);
    sizes_note(span_class, bytes);
    return span_class;
}

void *alloc_slow(size_t bytes, enum object_kind kind) {
    if (bytes <= SIZES_LARGEST_SMALL)
        return alloc_small(noted_class(bytes, kind));
    return alloc_large(bytes, HEAP_PAGE_BYTES, kind, false);
}

void *alloc_cleared(size_t bytes, enum object_kind kind) {
    if (bytes > SIZES_LARGEST_SMALL)
        return alloc_large(bytes, HEAP_PAGE_BYTES, kind, true);
    unsigned span_class = noted_class(bytes, kind);
    void *object = cache_pop(&thread_self->cache.bins[span_class]);
    if (object == NULL)
        object = alloc_small(span_class);
    return object ? alloc_clear(object, sizes_bytes(sizes_size_class(span_class))) : NULL;
}

/* The objects are linked while the bin still holds them. */
static void *bin_take_chain(struct cache_bin *bin, unsigned most, size_t clear_bytes) {
    unsigned count = bin->count < most ? bin->count : most;
    void **slots = bin->slots + (bin->count - count), *next = NULL;
    for (unsigned i = 0; i < count; i++) {
        if (clear_bytes)
            alloc_clear(slots[i], clear_bytes);
        *cache_key_of(slots[i]) = 0;
        *(void **)slots[i] = next;
        next = slots[i];
    }
    CACHE_HOLD(next);
    bin->count -= count;
    CACHE_HOLD(next);
    return next;
}

void *alloc_chain(size_t bytes, enum object_kind kind, unsigned most) {
    unsigned span_class = noted_class(bytes, kind);
    struct cache_bin *bin = &thread_self->cache.bins[span_class];
    if (bin->count == 0) {
        void *object = alloc_small(span_class);
        bin = &thread_self->cache.bins[span_class];
        if (object == NULL || !cache_push(bin, object)) {
            if (object)
                *(void **)object = NULL;
            return object;
        }
    }
    return bin_take_chain(bin, most,
                          kind == OBJECT_ATOMIC ? 0 : sizes_bytes(sizes_size_class(span_class)));
}

void *alloc_aligned(size_t alignment, size_t bytes, enum object_kind kind) {
    unsigned size_class = sizes_aligned_class(bytes, alignment);
    if (size_class) {
        unsigned span_class = sizes_span_class_of(size_class, kind);
        sizes_note(span_class, bytes);
        void *object = cache_pop(&thread_self->cache.bins[span_class]);
        return object ? object : alloc_small(span_class);
    }
    return alloc_large(bytes ? bytes : 1, alignment, kind, false);
}

size_t alloc_usable_bytes(const void *address) {
    struct object object;
    if (!object_find((uintptr_t)address, &object) || object_address(object) != (uintptr_t)address ||
        !object_is_allocated(*object_state(object)))
        return 0;
    return object.span->object_bytes;
}
