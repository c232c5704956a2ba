/* Looking at the heap's maps, and opening its pages; see heap_pages.h. */
#include "roots/heap_pages.h"

#include "heap/closed.h"
#include "heap/layout.h"
#include "heap/pages.h"
#include "mark/jobs.h"
#include "os/maps.h"
#include "os/memory.h"
#include "os/pagemap.h"
#include "roots/opened.h"
#include "roots/roots.h"
#include "roots/unknown.h"

#include <sys/mman.h>

enum { MOST_LOOKS = 3 };

static bool changes_unseen;
static bool is_unsettled;    /* the last look did not tell all that it found */
static bool is_quick = true; /* the kernel lists the heap's maps alone */

bool heap_pages_change_unseen(void) { return changes_unseen || is_unsettled; }

/* Up to where the heap was looked at. While the program runs it may open pages again that were
 * found closed, or a free may make them ours: then what was found is not told. */
struct look {
    uintptr_t at, end;
    bool stopped, outdated;
    size_t changes;
};

static void note(struct look *look, uintptr_t start, uintptr_t end, enum closed_kind kind,
                 int protection) {
    if (start >= end || closed_knows(start, end))
        return;
    struct closed found = {start, end, kind, protection};
    enum closed_told told = closed_tell_found(found, look->stopped, look->changes);
    if (told == CLOSED_TOO_MANY)
        roots_cannot_know("the program closed too many parts of the heap");
    else if (told == CLOSED_OUTDATED)
        look->outdated = true;
    else
        changes_unseen = true;
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

/* The heap's maps, and perhaps others. */
static void each_map(void (*visit)(const struct map *map, void *context), void *context) {
    uintptr_t start = heap.objects.start, end = start + AO_load(&heap.objects.committed);
    if (is_quick && !maps_each_between(start, end, visit, context))
        is_quick = false;
    if (!is_quick && !maps_each(visit, context))
        roots_cannot_know("the list of maps cannot be read");
}

static void visit_guard(uintptr_t start, uintptr_t end, void *look) {
    note(look, start, end, CLOSED_GUARDED, PROT_NONE);
}

/* Guards stand in no list of maps. To ask the page table takes 0.1 to 0.3 ms a GiB, so in a stop
 * it is only asked where a bare call was found before. */
static void look_for_guards(struct look *look) {
    struct pagemap_query query = {.all = PAGEMAP_GUARD, .report = PAGEMAP_GUARD};
    if (roots_follow_libgc() || (look->stopped && !changes_unseen) || !pagemap_knows_guards())
        return;
    uintptr_t start = heap.objects.start;
    pagemap_scan(start, start + pages_used_bytes(), query, visit_guard, look);
}

static bool look_once(bool stopped) {
    uintptr_t start = heap.objects.start;
    struct look look = {.at = start,
                        .end = start + AO_load(&heap.objects.committed),
                        .stopped = stopped,
                        .changes = closed_changes()};
    each_map(visit_map, &look);
    note(&look, look.at, look.end, CLOSED_REPLACED, 0);
    look_for_guards(&look);
    return !look.outdated;
}

/* The whole list takes as long as all else in a short stop, and in a short cycle of libgc's. There
 * it is looked at only for programs that are known to need it. Where the program opens pages all
 * the time, no marker runs beside it in this cycle. */
bool heap_pages_look(bool stopped) {
    if (!is_quick && (stopped ? !changes_unseen : roots_follow_libgc()))
        return true;
    is_unsettled = true;
    for (int looks = 0; is_unsettled && looks < MOST_LOOKS; looks++)
        is_unsettled = !look_once(stopped);
    return unknown_reason() == NULL;
}

static void read_again(uintptr_t start, uintptr_t end) {
    if (!jobs_add((struct job){start, end, JOB_HEAP_PAGES, SCAN_WORDS}))
        roots_cannot_know("out of memory for the list of roots");
}

/* A page that is told as closed may be open by now. It was passed over all the same. */
static void read_closed(const struct closed *range, void *context) {
    (void)context;
    if (range->kind == CLOSED_PROTECTED && !(range->protection & PROT_READ))
        read_again(range->start, range->end);
}

static void open_part(const struct closed *range, void *context) {
    const struct map *map = context;
    int protection = (map->writable ? PROT_WRITE : 0) | (map->executable ? PROT_EXEC : 0);
    uintptr_t start = range->start > map->start ? range->start : map->start;
    uintptr_t end = range->end < map->end ? range->end : map->end;
    if (range->kind == CLOSED_PROTECTED && !opened_add(start, end, protection))
        roots_cannot_know("a part of the heap is closed to reads and the kernel does not open it");
}

/* The maps tell what access a page has now. What was told may be outdated by a bare call, and the
 * page must have after the stop what it had before. */
static void open_map(const struct map *map, void *context) {
    uintptr_t start = heap.objects.start, end = start + AO_load(&heap.objects.committed);
    (void)context;
    if (!map->readable && map->end > start && map->start < end)
        closed_each_between(map->start > start ? map->start : start, map->end, open_part,
                            (void *)map);
}

static void open_all(void) {
    uintptr_t start = heap.objects.start, end = start + AO_load(&heap.objects.committed);
    closed_each_between(start, end, read_closed, NULL);
    each_map(open_map, NULL);
}

bool heap_pages_open(void) {
    if (memory_reads_closed())
        return true;
    if (closed_exist())
        open_all();
    if (!closed_each_opened(read_again))
        roots_cannot_know("too many parts of the heap were closed to reads during the mark");
    return unknown_reason() == NULL;
}
