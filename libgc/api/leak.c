/* Leak mode, GC_find_leak: nothing is collected silently; what a cycle finds dead and was never
 * freed is told, and then reclaimed.
 *
 * Found in the stop, a bounded number of them, and printed afterwards by a thread of the program's.
 */
#include "api/api.h"
#include "gc/gc_mark.h"

#include "heap/object.h"
#include "mark/scan.h"

#include <stdlib.h>

enum { MOST_LEAKS = 1024 };

struct leak {
    void *address;
    size_t bytes;
    bool atomic;
    const char *file; /* NULL: not a debugging object */
    int line;
};

static struct leak leaks[MOST_LEAKS]; /* the conductor; then whoever prints */
static volatile unsigned count;

static void collect_at_exit(void) {
    if (GC_find_leak)
        GC_gcollect();
}

void leak_start(void) { atexit(collect_at_exit); }

static void note(struct object object) {
    void *address = (void *)object_address(object);
    struct leak *leak = &leaks[count++];
    unsigned kind = kinds_of(object);
    *leak = (struct leak){address, object.span->object_bytes, kind == 0 || kind == 3, NULL, 0};
    debug_describe(address, &leak->file, &leak->line, &leak->bytes);
}

/* Under the preload the other kinds are malloc's. */
static void look_at(struct span *span) {
    if (!api_stands_alone && span->kind < OBJECT_SHAPED)
        return;
    for (size_t i = 0; i < span->object_count && count < MOST_LEAKS; i++)
        if (span->states[i] == object_white())
            note((struct object){span, i});
}

void leak_find(void) {
    const struct span *last = NULL;
    if (!GC_find_leak || count > 0)
        return;
    size_t pages = heap_page_of(heap.objects.start + AO_load(&heap.objects.committed));
    for (size_t page = 0; page < pages && count < MOST_LEAKS; page++) {
        struct span *span = heap_span_of(heap.objects.start + page * (size_t)HEAP_PAGE_BYTES);
        if (span && span != last)
            look_at(span);
        last = span;
    }
}

void leak_print(void) {
    static struct lock printing = LOCK_OF(RANK_PRINTING);
    if (count == 0 || !lock_try(&printing))
        return;
    unsigned found = count;
    GC_err_printf("Found %u leaked objects:\n", found);
    for (unsigned i = 0; i < found; i++) {
        const struct leak *leak = &leaks[i];
        const char *kind = leak->atomic ? "atomic" : "composite";
        if (leak->file)
            GC_err_printf("Leaked %s object at %p (%s:%d, sz= %zu, %s)\n", kind, leak->address,
                          leak->file, leak->line, leak->bytes, leak->atomic ? "PTRFREE" : "NORMAL");
        else
            GC_err_printf("Leaked %s object at %p of appr. %zu bytes (%s)\n", kind, leak->address,
                          leak->bytes, kind);
    }
    count = 0;
    lock_give(&printing);
    if (found > 0 && secure_getenv("GC_ABORT_ON_LEAK"))
        api_abort("Leaked objects found");
}
