/* See colours.h. */
#include "cycle/colours.h"

#include "cycle/assist.h"
#include "cycle/report.h"
#include "heap/closed.h"
#include "heap/layout.h"
#include "heap/object.h"
#include "heap/pages.h"
#include "heap/quarantine.h"
#include "heap/sweep.h"
#include "mark/evidence.h"
#include "mark/scan.h"
#include "mark/shaped.h"
#include "thread/thread.h"

void colours_lock_heap(void) {
    lock_take(&thread_registry_lock);
    span_sets_lock();
    pages_lock();
    closed_lock();
}

void colours_unlock_heap(void) {
    closed_unlock();
    pages_unlock();
    span_sets_unlock();
    thread_drop_gone();
    lock_give(&thread_registry_lock);
}

static bool is_all_swept(void) {
    for (unsigned class = 0; class < SPAN_CLASSES; class ++)
        if (span_sets[class].unswept.first)
            return false;
    return true;
}

/* The locks are taken before every span is known to be swept, because only then it stays so. */
void colours_lock_swept_heap(void) {
    for (;;) {
        sweep_finish();
        colours_lock_heap();
        if (is_all_swept())
            return;
        colours_unlock_heap();
    }
}

/* What is allocated from here on is black and is only ever read as part
 * of a written page, so the pages must have been protected before, or the world be stopped. */
static void swap(struct cycle *cycle) {
    evidence_bound();
    object_swap_colours();
    AO_store(&heap.marked, 0);
    quarantine_mark_begins();
    AO_char_store_release(&heap.marking, 1);
    cycle->live_before = AO_load(&heap.live);
}

static void mark_held(void) {
    struct marker marker = {0};
    shaped_mark_held(&marker);
    scan_give_back(&marker);
    assist_count_marked(&marker);
}

void colours_change(struct cycle *cycle) {
    swap(cycle);
    mark_held();
}
