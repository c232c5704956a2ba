/* Written pages, from the kernel's answer to the objects on them; see rescan.h. */
#include "mark/rescan.h"

#include "heap/closed.h"
#include "heap/layout.h"
#include "heap/pages.h"
#include "os/dirty.h"
#include "os/resident.h"

enum {
    STOPPED_CHUNK = 32 << 20, /* bytes in one job */
    CHUNK = 4 << 20,          /* the same while the program runs: a job in which every page was
                                 written takes an assist some milliseconds */
    MOST_MISSED = 256,
    WORTH_ASKING = 128 << 10 /* bytes of written pages, whether they are there at all */
};

static volatile AO_t written; /* bytes; any marker adds */

/* Root memory that could not be read; any marker adds, and there may be more than there is room
 * for. */
static struct { uintptr_t start, end; } missed[MOST_MISSED];
static volatile AO_t missed_count;

void (*rescan_stretch_hook)(const struct job *job);

void rescan_count_written(size_t bytes) { AO_fetch_and_add(&written, bytes); }

size_t rescan_take_count(void) {
    size_t bytes = AO_load(&written);
    AO_fetch_and_add(&written, -bytes);
    return bytes;
}

static void count_pages(uintptr_t start, uintptr_t end, void *bytes) {
    *(size_t *)bytes += end - start;
}

/* The quick question counts pages that were never touched, too. */
bool rescan_is_behind(size_t bytes) {
    size_t most = 0, waiting = 0;
    uintptr_t start = heap.objects.start, end = start + pages_used_bytes();
    return dirty_peek(start, end, count_pages, &most) && most > bytes &&
           dirty_peek_any(start, end, false, count_pages, &waiting) && waiting > bytes;
}

void rescan_forget_missed(void) { AO_store(&missed_count, 0); }

bool rescan_take_missed(void (*visit)(uintptr_t start, uintptr_t end)) {
    size_t count = AO_load(&missed_count);
    for (size_t i = 0; i < count && count <= MOST_MISSED; i++)
        visit(missed[i].start, missed[i].end);
    rescan_forget_missed();
    return count <= MOST_MISSED;
}

static void note_missed(uintptr_t start, uintptr_t end) {
    AO_t index = AO_fetch_and_add1_full(&missed_count);
    if (index >= MOST_MISSED)
        return;
    missed[index].start = start;
    missed[index].end = end;
}

static void scan_roots(struct marker *marker, uintptr_t start, uintptr_t end, enum scan_mode mode) {
    if (!scan_foreign(marker, start, end, mode))
        note_missed(start, end);
}

struct heap_plan {
    enum job_kind kind;
    size_t chunk;
    bool added;
};

static void plan_stretch(uintptr_t start, uintptr_t end, void *context) {
    struct heap_plan *plan = context;
    for (; start < end && plan->added; start += plan->chunk) {
        uintptr_t stop = end - start < plan->chunk ? end : start + plan->chunk;
        plan->added = jobs_add((struct job){start, stop, plan->kind, SCAN_WORDS});
    }
}

bool rescan_plan_heap(bool stopped) {
    struct heap_plan plan = {stopped ? JOB_HEAP_STOPPED : JOB_WRITTEN_HEAP,
                             stopped ? STOPPED_CHUNK : CHUNK, true};
    uintptr_t start = heap.objects.start, end = start + pages_used_bytes();
    closed_each_own(start, end, plan_stretch, &plan);
    return plan.added;
}

static bool is_black(const struct span *span, size_t index) {
    return AO_char_load(&span->states[index]) == object_live_colour();
}

/* Object by object, because each is read in its own way. */
static void rescan_small(struct marker *marker, struct span *span, uintptr_t start, uintptr_t end) {
    size_t index = span_index(span, start), count = AO_int_load(&span->object_count);
    for (; index < count && span_object(span, index) < end; index++)
        if (is_black(span, index))
            scan_again(marker, (struct object){span, index}, start, end);
}

static void rescan_large(struct marker *marker, struct span *span, uintptr_t start, uintptr_t end) {
    struct object object = {span, 0};
    unsigned char state = AO_char_load(object_state(object));
    if (AO_int_load(&span->object_count) == 1 &&
        (state == OBJECT_GREY || state == object_live_colour()))
        scan_again(marker, object, start, end);
}

/* Rescans from start to the end of the span that is there, or of its page; returns where that is.
 */
static uintptr_t rescan_span(struct marker *marker, uintptr_t start, uintptr_t end) {
    uintptr_t stop = (start & ~(uintptr_t)(HEAP_PAGE_BYTES - 1)) + HEAP_PAGE_BYTES;
    struct span *span = heap_span_of(start);
    if (span && span->kind != OBJECT_ATOMIC) {
        uintptr_t span_end = span->base + (uintptr_t)span->page_count * HEAP_PAGE_BYTES;
        if (span_end > stop)
            stop = span_end;
    } else {
        span = NULL;
    }
    if (stop > end)
        stop = end;
    if (span && span_is_large(span))
        rescan_large(marker, span, start, stop);
    else if (span)
        rescan_small(marker, span, start, stop);
    return stop;
}

static void visit_heap(uintptr_t start, uintptr_t end, void *marker) {
    rescan_count_written(end - start);
    while (start < end) {
        start = rescan_span(marker, start, end);
        scan_in_hand(marker);
    }
}

/* What the program wrote last lies in a few places of the heap: whoever has found one shares it. */
static void share_pages(uintptr_t start, uintptr_t end, void *marker) {
    if (!jobs_add((struct job){start, end, JOB_HEAP_PAGES, SCAN_WORDS}))
        visit_heap(start, end, marker);
}

/* The quick question whether a page was written is answered with yes for pages that were never
 * touched, too: those of a large array that the program does not fill would be read for nothing,
 * and made resident by it. */
static void visit_heap_stopped(uintptr_t start, uintptr_t end, void *marker) {
    if (end - start < WORTH_ASKING)
        share_pages(start, end, marker);
    else
        resident_each(start, end, false, share_pages, marker);
}

struct foreign {
    struct marker *marker;
    const struct job *job;
};

static void visit_roots(uintptr_t start, uintptr_t end, void *context) {
    const struct foreign *foreign = context;
    const struct job *job = foreign->job;
    rescan_count_written(end - start);
    start = start - 8 > job->start ? start - 8 : job->start;
    end = end + 8 < job->end ? end + 8 : job->end;
    if (start < end)
        scan_roots(foreign->marker, start, end, job->mode);
}

/* Where the kernel does not tell which pages were written, all of them were. */
void rescan_run(struct marker *marker, const struct job *job) {
    struct foreign foreign = {marker, job};
    bool told = true;
    switch (job->kind) {
    case JOB_ROOTS:
        scan_roots(marker, job->start, job->end, job->mode);
        break;
    case JOB_SAFE_ROOTS:
        scan_range(marker, job->start, job->end, job->mode);
        break;
    case JOB_WRITTEN_ROOTS:
        told = dirty_take(job->start, job->end, visit_roots, &foreign);
        break;
    case JOB_STRETCH:
    case JOB_STRETCH_STOPPED:
        rescan_stretch_hook(job);
        break;
    case JOB_WRITTEN_HEAP:
        told = dirty_take(job->start, job->end, visit_heap, marker);
        break;
    case JOB_HEAP_STOPPED:
        told = dirty_peek(job->start, job->end, visit_heap_stopped, marker);
        break;
    case JOB_HEAP_PAGES:
        visit_heap(job->start, job->end, marker);
        break;
    }
    if (told)
        return;
    if (job->kind == JOB_WRITTEN_ROOTS)
        resident_each(job->start, job->end, false, visit_roots, &foreign);
    else
        visit_heap(job->start, job->end, marker);
}
