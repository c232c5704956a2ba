/* Walking the process's maps: which of them are roots, and how each is read; see roots.h. */
#include "os/maps.h"
#include "os/memory.h"
#include "roots/added.h"
#include "roots/exceptions.h"
#include "roots/opened.h"
#include "roots/plan.h"
#include "roots/ranges.h"
#include "roots/roots.h"
#include "roots/stacks.h"
#include "roots/tracked.h"
#include "roots/unknown.h"
#include "thread/thread.h"

#include <sys/mman.h>

static enum roots_scope scope;
static bool follows_libgc;
static uintptr_t data_end; /* where the last data segment of a file ended: what follows is its part
                              without contents in the file */
static size_t found_bytes;

struct roots_beyond roots_beyond;

void roots_make_like_libgc(void) { follows_libgc = true; }
bool roots_follow_libgc(void) { return follows_libgc; }
size_t roots_bytes(void) { return found_bytes; }

bool roots_make_room(unsigned threads) {
    return stacks_make_room(threads) && exceptions_make_room(threads) && plan_make_room() &&
           added_make_room();
}

/* A data segment that was made read-only may still be a program's. */
static bool is_data(const struct map *map) {
    bool is_file = map->kind == MAP_KIND_FILE && !map->shared;
    bool follows = map->kind == MAP_KIND_MEMORY && map->start == data_end;
    if ((is_file && map->writable) || follows)
        data_end = map->end;
    return (is_file && map->writable) || (follows && map->writable);
}

/* What is closed to reads may have been written before. libgc does not look there. */
static bool is_root(const struct map *map) {
    if (map->kind == MAP_KIND_OTHER || (follows_libgc && !map->readable))
        return false;
    if (follows_libgc)
        return is_data(map) || map->kind == MAP_KIND_MAIN_STACK ||
               stacks_overlap(map->start, map->end);
    return map->kind != MAP_KIND_FILE || !map->shared || map->writable || !map->readable;
}

static int protection_of(const struct map *map) {
    return (map->readable ? PROT_READ : 0) | (map->writable ? PROT_WRITE : 0) |
           (map->executable ? PROT_EXEC : 0);
}

static enum scan_mode mode_of(const struct map *map) {
    if (map->executable && map->kind == MAP_KIND_MEMORY)
        return SCAN_CODE;
    return map->kind == MAP_KIND_MAIN_STACK || stacks_hold_pointer(map->start, map->end)
               ? SCAN_STACK
               : SCAN_WORDS;
}

/* Where the map's memory begins that is no dead stack; the stack proper, if any, comes first. */
static uintptr_t memory_start(const struct map *map) {
    if (map->kind != MAP_KIND_MAIN_STACK)
        return map->start;
    uintptr_t live = stack_main_start(map);
    return scope == ROOTS_TRACKED ? map->end : live;
}

/* Stacks, and what the program wrote to its data, with nobody there to take it away; libgc reads
 * them, too. Others' memory may be behind a protection key. Secret memory has no other reader. */
static bool is_safe(const struct map *map) {
    if (scope == ROOTS_TRACKED)
        return false;
    return map->secret || (follows_libgc && !map->shared && !map->cached);
}

/* True if nothing in the map is to be read in another way than the rest. */
static bool is_plain(const struct map *map) {
    return exceptions_behind(map->start, map->end) == NULL && map->writable && !map->executable;
}

static bool visit_added(const struct map *map, struct part part) {
    part.private_only = false;
    return part.safe && is_plain(map) && added_cover(map) && added_plan_map(part);
}

/* Stacks are read whole by whoever stops the world, and not at all before. */
static void plan_stack(struct part part, uintptr_t start, uintptr_t end) {
    part.start = start & ~(uintptr_t)7;
    part.end = end;
    part.mode = SCAN_STACK;
    if (scope != ROOTS_TRACKED)
        plan_whole(part);
}

static void plan_up_to(struct part part, uintptr_t end) {
    part.end = end;
    plan_part(part);
}

static void visit_map(const struct map *map, void *marker) {
    if (scope == ROOTS_TRACKED)
        tracked_map(map->start, map->end);
    if (map->requests && roots_beyond.visit)
        roots_beyond.visit(map, scope == ROOTS_TRACKED ? NULL : marker);
    if (!is_root(map))
        return;
    struct part part = {.start = map->start,
                        .end = map->end,
                        .mode = mode_of(map),
                        .private_only = !map->shared && !map->cached,
                        .safe = is_safe(map),
                        .cached = map->cached,
                        .closed = !map->readable,
                        .secret = map->secret,
                        .protection = protection_of(map)};
    if (ranges_added.count > 0 && visit_added(map, part))
        return;
    part.start = memory_start(map);
    const struct exception *next = exceptions_behind(part.start, map->end);
    for (; next; next = exceptions_next(next, map->end)) {
        uintptr_t end = next->end < map->end ? next->end : map->end;
        plan_up_to(part, next->start);
        if (!next->skipped)
            plan_stack(part, next->start > part.start ? next->start : part.start, end);
        if (end > part.start)
            part.start = end;
    }
    if (map->kind == MAP_KIND_MAIN_STACK)
        plan_stack(part, part.start, map->end);
    else
        plan_part(part);
}

static void scan_registers(struct marker *marker) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (stack_is_there(thread))
            stack_scan_registers(marker, thread);
}

/* Each map, or, for a program like libgc's, those that may be roots. */
static bool list_all(struct marker *marker) {
    return follows_libgc ? maps_each_writable(visit_map, marker) : maps_each(visit_map, marker);
}

/* Up to where all maps were visited; the next ones of two sorts; whether the kernel has answered.
 */
struct listing {
    struct marker *marker;
    uintptr_t at;
    struct map with_file, executable;
    bool known;
};

static void visit_anonymous(const struct map *map, void *marker) {
    if (map->kind == MAP_KIND_MEMORY && !map->cached)
        visit_map(map, marker);
}

static void visit_around(uintptr_t pointer, void *context) {
    struct listing *listing = context;
    listing->known &= maps_each_between(pointer, pointer + 1, visit_anonymous, listing->marker);
}

static void visit_distrusted(const struct part *part, void *context) {
    struct listing *listing = context;
    listing->known &= maps_each_between(part->start, part->end, visit_anonymous, listing->marker);
}

/* The next one may lie in a later stretch: all maps before it were looked at by then. */
static void visit_sort(struct listing *listing, enum maps_sort sort, struct map *next,
                       uintptr_t start, uintptr_t end,
                       void (*visit)(const struct map *map, void *marker)) {
    if (next->end <= start)
        listing->known = listing->known && maps_next(start, sort, next);
    while (listing->known && next->start < end) {
        visit(next, listing->marker);
        listing->known = maps_next(next->end, sort, next);
    }
}

/* In a stretch the kernel is asked what was written. That tells nothing of pages which only the
 * page cache has, of memory that has become code, and of stacks, which are read in other ways. */
static void visit_stretch(uintptr_t start, uintptr_t end, void *context) {
    struct listing *listing = context;
    listing->known = listing->known &&
                     maps_each_between(listing->at, start, visit_map, listing->marker) &&
                     stacks_each_pointer(start, end, visit_around, listing);
    tracked_each_distrusted(start, end, visit_distrusted, listing);
    visit_sort(listing, MAPS_WITH_FILE, &listing->with_file, start, end, visit_map);
    visit_sort(listing, MAPS_EXECUTABLE, &listing->executable, start, end, visit_anonymous);
    listing->at = end;
}

/* What somebody added is in the order of addresses, and so are the maps that cover it. */
static bool can_pass_over_stretches(void) {
    return scope == ROOTS_WRITTEN && !follows_libgc && ranges_added.count == 0 &&
           memory_reads_closed() && maps_can_be_asked();
}

static bool list_besides_stretches(struct marker *marker) {
    struct listing listing = {.marker = marker, .known = tracked_plan_stretches()};
    tracked_each_stretch(visit_stretch, &listing);
    return listing.known && maps_each_between(listing.at, UINTPTR_MAX, visit_map, marker);
}

static bool list(struct marker *marker) {
    return (can_pass_over_stretches() && list_besides_stretches(marker)) || list_all(marker);
}

static bool walk(struct marker *marker, bool (*lists)(struct marker *marker)) {
    if (roots_beyond.begin)
        roots_beyond.begin();
    bool listed = lists(marker);
    if (roots_beyond.end)
        roots_beyond.end(scope == ROOTS_TRACKED ? NULL : marker);
    return listed;
}

static bool is_known(bool listed, bool planned) {
    if (!listed)
        roots_cannot_know("the list of maps cannot be read");
    if (!planned)
        roots_cannot_know("out of memory for the list of roots");
    return unknown_reason() == NULL;
}

void roots_look(enum roots_scope new_scope) {
    scope = new_scope;
    stacks_find();
    exceptions_find(scope != ROOTS_TRACKED);
}

bool roots_plan(struct marker *marker, enum roots_scope new_scope) {
    if (new_scope != ROOTS_TRACKED)
        roots_look(new_scope);
    data_end = 0;
    plan_begin(scope);
    added_begin();
    if (scope != ROOTS_TRACKED)
        scan_registers(marker);
    bool known = walk(marker, list);
    added_plan_rest();
    bool planned = plan_end();
    if (scope != ROOTS_WRITTEN)
        found_bytes = plan_bytes();
    return is_known(known, planned);
}

static void visit_late(const struct map *map, void *context) {
    struct listing *listing = context;
    visit_anonymous(map, listing->marker);
    listing->at = map->end;
}

/* Of several places in one map the first one sees to all of it. */
static void visit_unknown(uintptr_t start, uintptr_t end, void *context) {
    struct listing *listing = context;
    if (end <= listing->at)
        return;
    start = start > listing->at ? start : listing->at;
    listing->known &= maps_each_between(start, end, visit_late, listing);
}

bool roots_plan_late(struct marker *marker) {
    struct listing listing = {.marker = marker, .known = true};
    if (!tracked_each_unknown(visit_unknown, &listing))
        listing.known = walk(marker, list_all);
    return is_known(listing.known, plan_end());
}

void roots_close(void) { opened_end(); }
