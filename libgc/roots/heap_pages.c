/* Looking at the heap's maps, and opening its pages; see heap_pages.h. */
#include "roots/heap_pages.h"

#include "heap/closed.h"
#include "heap/layout.h"
#include "mark/jobs.h"
#include "os/maps.h"
#include "os/memory.h"
#include "roots/opened.h"
#include "roots/roots.h"
#include "roots/unknown.h"

#include <sys/mman.h>

static bool changes_unseen;
static bool is_quick = true; /* the kernel lists the heap's maps alone */

bool heap_pages_change_unseen(void) { return changes_unseen; }

/* Up to where the heap was looked at. */
struct look {
    uintptr_t at, end;
    bool stopped;
};

static void note(const struct look *look, uintptr_t start, uintptr_t end, enum closed_kind kind,
                 int protection) {
    if (start >= end || closed_knows(start, end))
        return;
    changes_unseen = true;
    if (closed_tell((struct closed){start, end, kind, protection}, look->stopped) ==
        CLOSED_TOO_MANY)
        roots_cannot_know("the program closed too many parts of the heap");
}

static void visit_map(const struct map *map, void *context) {
    struct look *look = context;
    if (map->end <= look->at || map->start >= look->end)
        return;
    uintptr_t start = map->start > look->at ? map->start : look->at;
    uintptr_t end = map->end < look->end ? map->end : look->end;
    int protection = (map->readable ? PROT_READ : 0) | (map->writable ? PROT_WRITE : 0) |
                     (map->executable ? PROT_EXEC : 0);
    note(look, look->at, start, CLOSED_REPLACED, 0);
    if (map->kind != MAP_KIND_MEMORY || map->shared || map->cached)
        note(look, start, end, CLOSED_REPLACED, protection);
    else if (!map->readable || !map->writable)
        note(look, start, end, CLOSED_PROTECTED, protection);
    look->at = end;
}

/* The whole list takes as long as all else in a short stop, and in a short cycle of libgc's. There
 * it is looked at only for programs that are known to need it. */
bool heap_pages_look(bool stopped) {
    uintptr_t start = heap.objects.start;
    struct look look = {start, start + AO_load(&heap.objects.committed), stopped};
    if (!is_quick && (stopped ? !changes_unseen : roots_follow_libgc()))
        return true;
    if (is_quick && !maps_each_between(look.at, look.end, visit_map, &look))
        is_quick = false;
    if (!is_quick && !maps_each(visit_map, &look))
        roots_cannot_know("the list of maps cannot be read");
    note(&look, look.at, look.end, CLOSED_REPLACED, 0);
    return unknown_reason() == NULL;
}

static void read_again(uintptr_t start, uintptr_t end) {
    if (!jobs_add((struct job){start, end, JOB_HEAP_PAGES, SCAN_WORDS}))
        roots_cannot_know("out of memory for the list of roots");
}

static void open_range(const struct closed *range, void *context) {
    (void)context;
    if (range->kind != CLOSED_PROTECTED || (range->protection & PROT_READ))
        return;
    if (opened_add(range->start, range->end, range->protection))
        read_again(range->start, range->end);
    else
        roots_cannot_know("a part of the heap is closed to reads and the kernel does not open it");
}

bool heap_pages_open(void) {
    if (memory_reads_closed())
        return true;
    closed_each(open_range, NULL);
    if (!closed_each_opened(read_again))
        roots_cannot_know("too many parts of the heap were closed to reads during the mark");
    return unknown_reason() == NULL;
}
