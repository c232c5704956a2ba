/* Lists of ranges in regions of their own; see ranges.h. */
#include "roots/ranges.h"

enum { MOST_RANGES = 8192 };

struct range_list ranges_added, ranges_excluded, ranges_disregarded;

/* True if one of the ranges covers the whole of this one. */
static bool list_covers(const struct range_list *list, uintptr_t start, uintptr_t end) {
    for (size_t i = 0; i < list->count; i++)
        if (ranges_of(list)[i].start <= start && end <= ranges_of(list)[i].end)
            return true;
    return false;
}

static bool list_add(struct range_list *list, uintptr_t start, uintptr_t end) {
    if (list_covers(list, start, end))
        return true;
    size_t bytes = MOST_RANGES * sizeof(struct range);
    if (list->region.reserved == 0 && !vm_region_make(&list->region, bytes))
        return false;
    if (list->count == MOST_RANGES)
        return false;
    struct range *ranges = ranges_of(list);
    size_t at = list->count++;
    for (; at > 0 && ranges[at - 1].start > start; at--)
        ranges[at] = ranges[at - 1];
    ranges[at] = (struct range){start, end};
    return true;
}

bool roots_add(uintptr_t start, uintptr_t end) { return list_add(&ranges_added, start, end); }

bool roots_exclude(uintptr_t start, uintptr_t end) {
    return list_add(&ranges_excluded, start, end);
}

bool roots_are_added(uintptr_t address) { return list_covers(&ranges_added, address, address + 1); }

void roots_clear_excluded(void) { ranges_excluded.count = 0; }

bool roots_disregard(uintptr_t start, uintptr_t end) {
    return list_add(&ranges_disregarded, start, end);
}

void roots_disregard_none(void) { ranges_disregarded.count = 0; }

bool roots_are_excluded(uintptr_t start, uintptr_t end) {
    return list_covers(&ranges_excluded, start, end);
}

void roots_include(uintptr_t start, uintptr_t end) {
    struct range *ranges = ranges_of(&ranges_excluded);
    for (size_t i = 0; i < ranges_excluded.count; i++)
        if (ranges[i].start == start && ranges[i].end == end) {
            ranges[i] = ranges[--ranges_excluded.count];
            return;
        }
}

void roots_remove(uintptr_t start, uintptr_t end) {
    size_t kept = 0;
    struct range *ranges = ranges_of(&ranges_added);
    for (size_t i = 0; i < ranges_added.count; i++)
        if (ranges[i].start < start || ranges[i].end > end)
            ranges[kept++] = ranges[i];
    ranges_added.count = kept;
}
