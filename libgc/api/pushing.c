/* Marking more when all that is known is marked: ephemerons, whose values are alive if their keys
 * are. And what a program's functions push while the world is stopped.
 *
 * The function of GC_set_on_mark_stack_empty is called in the stop, again and again until it finds
 * nothing more; once more when finalizers have kept what they keep alive. Positions on a mark stack
 * are the marker, as for mark procedures, with room above it.
 */
#include "api/api.h"

#include "mark/drain.h"
#include "mark/scan.h"
#include "mark/shaped.h"

enum { ROOM_BYTES = 1 << 20 /* that a function which looks for room finds */ };

static GC_on_mark_stack_empty_proc on_empty;

void GC_set_on_mark_stack_empty(GC_on_mark_stack_empty_proc function) { on_empty = function; }
GC_on_mark_stack_empty_proc GC_get_on_mark_stack_empty(void) { return on_empty; }

void pushing_ask(struct marker *marker) {
    size_t before;
    if (on_empty == NULL)
        return;
    do {
        before = marker->marked_objects;
        on_empty((struct GC_ms_entry *)marker, (struct GC_ms_entry *)((char *)marker + ROOM_BYTES));
        drain_stopped(marker);
    } while (marker->marked_objects != before);
}

struct GC_ms_entry *GC_ms_push_all(void *start, void *end, struct GC_ms_entry *top,
                                   struct GC_ms_entry *limit) {
    (void)limit;
    if (start < end)
        scan_foreign((struct marker *)top, (uintptr_t)start, (uintptr_t)end, SCAN_WORDS);
    return top;
}

struct GC_ms_entry *GC_ms_push_obj_descr(void *object, GC_word descriptor, struct GC_ms_entry *top,
                                         struct GC_ms_entry *limit) {
    (void)limit;
    shaped_scan_as((struct marker *)top, (uintptr_t)object, descriptor);
    return top;
}

void GC_push_obj_descr(void *object, GC_word descriptor) {
    struct marker *marker = api_pushing();
    if (marker)
        shaped_scan_as(marker, (uintptr_t)object, descriptor);
}

/* What else a word may mean, besides the address it is. */

static GC_word mask = UINTPTR_MAX;
static unsigned shift;

void GC_set_pointer_mask(GC_word value) {
    mask = value;
    scan_words_as(mask, shift);
}

void GC_set_pointer_shift(unsigned bits) {
    shift = bits;
    scan_words_as(mask, shift);
}

GC_word GC_get_pointer_mask(void) { return mask; }
unsigned GC_get_pointer_shift(void) { return shift; }
