/* A short list of ranges; see handled.h. */
#include "os/handled.h"

#include "os/dirty.h"

#include <stddef.h>

enum { MOST_RANGES = 256 };

static struct {
    uintptr_t start, end;
    bool minor;
} ranges[MOST_RANGES];
static size_t count;
static bool is_full; /* and more were noted: anything may be handled */

void handled_note(uintptr_t start, uintptr_t end, bool minor) {
    if (count == MOST_RANGES) {
        is_full = true;
        return;
    }
    ranges[count].start = start;
    ranges[count].end = end;
    ranges[count++].minor = minor;
}

static void take_out(size_t at) { ranges[at] = ranges[--count]; }

void handled_forget(uintptr_t start, uintptr_t end) {
    for (size_t i = count; i-- > 0;) {
        if (start <= ranges[i].start && ranges[i].end <= end)
            take_out(i);
        else if (start <= ranges[i].start && end > ranges[i].start)
            ranges[i].start = end;
        else if (end >= ranges[i].end && start < ranges[i].end)
            ranges[i].end = start;
    }
}

enum handled handled_kind(uintptr_t start, uintptr_t end) {
    enum handled kind = is_full ? HANDLED_MINOR : HANDLED_NOT;
    for (size_t i = 0; i < count; i++)
        if (ranges[i].start < end && start < ranges[i].end && kind != HANDLED_MINOR)
            kind = ranges[i].minor ? HANDLED_MINOR : HANDLED_MISSING;
    return kind;
}

/* What can be tracked is no one else's. */
void handled_settle(void) {
    for (size_t i = count; i-- > 0;)
        if (dirty_track(ranges[i].start, ranges[i].end) &&
            dirty_untrack(ranges[i].start, ranges[i].end))
            take_out(i);
}
