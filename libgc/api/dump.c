/* Dumps: what the heap holds, by kind and size, and its regions, for people. */
#include "api/api.h"

#include "heap/pages.h"
#include "weak/links.h"

#include <string.h>

bool dump_regularly;

static GC_describe_type_fn describe[16];

void GC_register_describe_type_fn(int kind, GC_describe_type_fn function) {
    if (kind >= 0 && (size_t)kind < sizeof describe / sizeof *describe)
        describe[kind] = function;
}

void dump_name_type(const void *address, char *text) {
    void *object = GC_base((void *)address);
    int kind = object ? GC_get_kind_and_size(object, NULL) : -1;
    memset(text, 0, GC_TYPE_DESCR_LEN + 1);
    if (kind >= 0 && (size_t)kind < sizeof describe / sizeof *describe && describe[kind])
        describe[kind](object, text);
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
        GC_printf("%-13s %7zu: %zu objects in %zu spans, %zu bytes\n",
                  kinds[sizes_kind(span_class)], size_class ? sizes_bytes(size_class) : 0,
                  census.objects, census.spans, census.bytes);
}

void GC_dump_regions(void) {
    uintptr_t start = heap.objects.start;
    GC_printf("heap %p to %p, %zu bytes used, %zu idle\n", (void *)start,
              (void *)(start + AO_load(&heap.objects.committed)), pages_used_bytes(),
              pages_idle_bytes());
}

void GC_dump_named(const char *name) {
    GC_printf("***GC Dump %s: cycle %lu\n", name ? name : "", GC_gc_no);
    GC_dump_regions();
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        dump_set(class);
    GC_dump_finalization();
}

void GC_dump(void) { GC_dump_named(NULL); }

void dump_if_due(void) {
    static volatile AO_t dumped;
    AO_t seen = AO_load(&dumped), now = statistics_cycles();
    if (dump_regularly && seen != now && AO_compare_and_swap_full(&dumped, seen, now))
        GC_dump_named("regular");
}
