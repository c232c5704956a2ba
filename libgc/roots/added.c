/* Added ranges in the walk and after it; see added.h. */
#include "roots/added.h"

#include "heap/metadata.h"
#include "os/maps.h"
#include "os/vm.h"
#include "roots/ranges.h"

enum { MOST_UNASKED = 1 << 20 /* bytes that are read without asking which pages are resident */ };

static struct range *walked; /* maps that were planned in the walk */
static size_t room, count, walked_next, added_next;

/* The list grows by doubling; what it outgrows is not used again. */
bool added_make_room(void) {
    size_t needed = ranges_added.count;
    if (room >= needed)
        return true;
    walked = metadata_take(2 * needed * sizeof *walked);
    room = walked ? 2 * needed : 0;
    return walked != NULL;
}

void added_begin(void) { count = walked_next = added_next = 0; }

bool added_cover(const struct map *map) {
    size_t page = vm_page_bytes();
    const struct range *ranges = ranges_of(&ranges_added);
    while (added_next < ranges_added.count && ranges[added_next].end <= map->start)
        added_next++;
    for (size_t i = added_next; i < ranges_added.count; i++) {
        if ((ranges[i].start & ~(page - 1)) > map->start)
            return false;
        if (((ranges[i].end + page - 1) & ~(page - 1)) >= map->end)
            return true;
    }
    return false;
}

bool added_plan_map(struct part part) {
    if (count == room)
        return false;
    if (part.end - part.start <= MOST_UNASKED)
        plan_unasked(part);
    else
        plan_whole(part);
    walked[count++] = (struct range){part.start, part.end};
    return true;
}

static void plan_range(uintptr_t start, uintptr_t end) {
    plan_whole((struct part){.start = start, .end = end, .mode = SCAN_WORDS});
}

static void plan_unwalked(uintptr_t at, uintptr_t end) {
    while (walked_next < count && walked[walked_next].end <= at)
        walked_next++;
    for (size_t i = walked_next; i < count && walked[i].start < end; i++) {
        plan_range(at, walked[i].start);
        at = walked[i].end;
    }
    plan_range(at, end);
}

/* The excluded range that covers or follows an address first; NULL when there is none before end.
 */
static const struct range *next_excluded(uintptr_t at, uintptr_t end) {
    const struct range *next = NULL;
    for (size_t i = 0; i < ranges_excluded.count; i++) {
        const struct range *range = &ranges_of(&ranges_excluded)[i];
        if (range->end > at && range->start < end && (next == NULL || range->start < next->start))
            next = range;
    }
    return next;
}

void added_plan_rest(void) {
    const struct range *ranges = ranges_of(&ranges_added);
    for (size_t i = 0; i < ranges_added.count; i++) {
        uintptr_t at = ranges[i].start & ~(uintptr_t)7, end = ranges[i].end;
        for (const struct range *hole; (hole = next_excluded(at, end)) != NULL; at = hole->end)
            plan_unwalked(at, hole->start);
        plan_unwalked(at, end);
    }
}
