/* The heap's memory: what of it is used and what is free, and telling where more came from. */
#include "api/api.h"

#include "heap/layout.h"
#include "heap/span.h"
#include "weak/table.h"

static GC_on_os_get_mem_proc on_memory;
static volatile AO_t told; /* bytes of the heap; with weak_lock */

void GC_set_on_os_get_mem(GC_on_os_get_mem_proc function) {
    api_start();
    lock_take(&weak_lock);
    AO_store(&told, AO_load(&heap.objects.committed));
    on_memory = function;
    lock_give(&weak_lock);
}

GC_on_os_get_mem_proc GC_get_on_os_get_mem(void) { return on_memory; }

static void tell_new(void) {
    api_lend_lock();
    size_t before = AO_load(&told), now = AO_load(&heap.objects.committed);
    AO_store(&told, now);
    if (on_memory && now > before)
        on_memory((void *)(heap.objects.start + before), now - before);
    api_take_lock_back();
}

void sections_tell(void) {
    if (__builtin_expect(on_memory != NULL, 0) &&
        AO_load(&told) != AO_load(&heap.objects.committed))
        tell_new();
}

void sections_tell_failure(size_t bytes) {
    GC_on_os_get_mem_proc function = on_memory;
    if (function)
        function(NULL, bytes);
}

struct visit {
    GC_heap_section_proc function;
    void *data;
};

static void tell(const struct visit *visit, uintptr_t start, uintptr_t end,
                 GC_heap_section_type type) {
    if (start < end)
        visit->function((void *)start, (void *)end, type, visit->data);
}

/* Returns where the next one begins. */
static uintptr_t tell_span(const struct visit *visit, const struct span *span) {
    uintptr_t used = span->base + span->object_count * span->object_bytes;
    uintptr_t end = span->base + span->page_count * (size_t)HEAP_PAGE_BYTES;
    tell(visit, span->base, used, GC_HEAP_SECTION_TYPE_USED);
    tell(visit, used, end, GC_HEAP_SECTION_TYPE_PADDING);
    return end;
}

/* The heap is one section. With the alloc lock, as the name says; other threads may go on to
 * allocate. */
void GC_foreach_heap_section_inner(GC_heap_section_proc function, void *data) {
    struct visit visit = {function, data};
    uintptr_t start = heap.objects.start, end = start + AO_load(&heap.objects.committed);
    uintptr_t free_from = start;
    for (uintptr_t at = start; at < end;) {
        const struct span *span = heap_span_of(at);
        if (span == NULL || span->base != at || span->page_count == 0) {
            at += HEAP_PAGE_BYTES;
            continue;
        }
        tell(&visit, free_from, at, GC_HEAP_SECTION_TYPE_FREE);
        free_from = at = tell_span(&visit, span);
    }
    tell(&visit, free_from, end, GC_HEAP_SECTION_TYPE_FREE);
    tell(&visit, start, end, GC_HEAP_SECTION_TYPE_WHOLE_SECT);
}
