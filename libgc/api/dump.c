/* Dumps: what the heap holds, by kind and size, and its regions, for people. */
#include "api/api.h"

#include "heap/pages.h"
#include "weak/links.h"

#include <stdio.h>

static GC_describe_type_fn describe[16];

void GC_register_describe_type_fn(int kind, GC_describe_type_fn function) {
    if (kind >= 0 && (size_t)kind < sizeof describe / sizeof *describe)
        describe[kind] = function;
}

struct census {
    size_t spans, objects, bytes;
};

static void count_span(const struct span *span, struct census *census) {
    census->spans++;
    for (size_t i = 0; i < span->object_count; i++)
        if (object_is_allocated(span->states[i])) {
            census->objects++;
            census->bytes += span->object_bytes;
        }
}

static void dump_set(unsigned span_class) {
    static const char *const kinds[] = {"normal", "atomic", "shaped", "uncollectable"};
    struct span_set *set = &span_sets[span_class];
    struct census census = {0, 0, 0};
    lock_take(&set->lock);
    const struct span_ring *const rings[] = {&set->unswept, &set->partial, &set->full};
    for (size_t i = 0; i < 3; i++)
        for (const struct span *span = rings[i]->first; span; span = span->next)
            count_span(span, &census);
    lock_give(&set->lock);
    unsigned size_class = sizes_size_class(span_class);
    if (census.objects > 0)
        printf("%-13s %7zu: %zu objects in %zu spans, %zu bytes\n", kinds[sizes_kind(span_class)],
               size_class ? sizes_bytes(size_class) : 0, census.objects, census.spans,
               census.bytes);
}

void GC_dump_regions(void) {
    uintptr_t start = heap.objects.start;
    printf("heap %p to %p, %zu bytes used, %zu idle\n", (void *)start,
           (void *)(start + AO_load(&heap.objects.committed)), pages_used_bytes(),
           pages_idle_bytes());
}

void GC_dump_named(const char *name) {
    printf("***GC Dump %s: cycle %lu\n", name ? name : "", GC_gc_no);
    GC_dump_regions();
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        dump_set(class);
    GC_dump_finalization();
}

void GC_dump(void) { GC_dump_named(NULL); }
