/* Reserving and growing the heap's address space; see layout.h. */
#include "heap/layout.h"

#include "os/log.h"
#include "os/options.h"
#include "os/park.h"

enum {
    SMALLEST_RESERVATION = 1 << 25,
    OBJECT_STEP = 1 << 20,
    LARGEST_OBJECT_STEP = 1 << 26,
    STEP_ROUNDED_BY = 1 << 21, /* to huge pages */
    TABLE_STEP = 1 << 16,
    METADATA_SHARE = 8 /* spans of the smallest objects take nearly a twelfth of what they hold */
};

struct heap heap;

static struct lock start_lock = LOCK_OF(RANK_HEAP_START);

static size_t span_table_bytes(size_t objects) {
    return objects / HEAP_PAGE_BYTES * sizeof(struct span *);
}
static size_t class_table_bytes(size_t objects) {
    return objects / HEAP_PAGE_BYTES * sizeof *heap.page_classes;
}
static size_t metadata_bytes(size_t objects) { return objects / METADATA_SHARE + (1 << 24); }

static bool reserve_all(size_t objects) {
    struct vm_region *const regions[] = {&heap.page_span_table, &heap.page_class_table,
                                         &heap.metadata, &heap.objects};
    const size_t bytes[] = {span_table_bytes(objects), class_table_bytes(objects),
                            metadata_bytes(objects), objects};
    for (size_t i = 0; i < 4; i++) {
        if (vm_region_reserve(regions[i], bytes[i]))
            continue;
        while (i-- > 0)
            vm_region_trim(regions[i], 0);
        return false;
    }
    return true;
}

static bool is_started(void) { return AO_load_acquire((volatile AO_t *)&heap.page_spans) != 0; }

static bool start_locked(void) {
    if (is_started())
        return true;
    size_t objects = vm_reservable(options.reserve);
    while (objects >= SMALLEST_RESERVATION &&
           !reserve_all(objects & ~(size_t)(HEAP_PAGE_BYTES - 1)))
        objects /= 2;
    if (objects < SMALLEST_RESERVATION)
        return false;
    heap.page_classes = (unsigned short *)heap.page_class_table.start;
    AO_store_release((volatile AO_t *)&heap.page_spans, heap.page_span_table.start);
    return true;
}

bool heap_start(void) {
    if (is_started())
        return true;
    lock_take(&start_lock);
    bool started = start_locked();
    lock_give(&start_lock);
    return started;
}

/* A large heap grows in huge pages, where small objects fill it. Others use what programs before
 * them gave back: the free huge pages of a virtual machine are often not its own any more, and each
 * takes its host 5 ms. */
static bool objects_commit(size_t bytes, size_t step, bool dense) {
    size_t have = AO_load(&heap.objects.committed), target = have + step;
    if (dense && have >= HEAP_LARGE_BYTES && target <= heap.objects.reserved && bytes <= target &&
        vm_region_commit_table(&heap.objects, target, 0))
        return true;
    return vm_region_commit(&heap.objects, bytes, step);
}

bool heap_extend(size_t bytes, bool dense) {
    size_t have = AO_load(&heap.objects.committed);
    if (bytes <= have)
        return true;
    size_t step = have / 8 < OBJECT_STEP ? OBJECT_STEP : have / 8;
    if (step > LARGEST_OBJECT_STEP)
        step = LARGEST_OBJECT_STEP;
    /* The tables must cover whatever the step may commit beyond the bytes asked for. */
    size_t covered = bytes + step + STEP_ROUNDED_BY;
    if (covered > heap.objects.reserved)
        covered = heap.objects.reserved;
    return vm_region_commit_table(&heap.page_span_table, span_table_bytes(covered), TABLE_STEP) &&
           vm_region_commit_table(&heap.page_class_table, class_table_bytes(covered), TABLE_STEP) &&
           objects_commit(bytes, step, dense);
}

void heap_fit_address_space(size_t limit) {
    size_t objects = AO_load(&heap.objects.committed);
    if (objects < limit / 2)
        objects = limit / 2;
    if (objects >= heap.objects.reserved)
        return;
    objects &= ~(size_t)(HEAP_PAGE_BYTES - 1);
    vm_region_trim(&heap.objects, objects);
    vm_region_trim(&heap.page_span_table, span_table_bytes(objects));
    vm_region_trim(&heap.page_class_table, class_table_bytes(objects));
    vm_region_trim(&heap.metadata, metadata_bytes(objects));
}

void heap_each_region(void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context) {
    const struct vm_region *const regions[] = {&heap.objects, &heap.page_span_table,
                                               &heap.page_class_table, &heap.metadata};
    for (size_t i = 0; i < 4; i++)
        visit(regions[i]->start, regions[i]->start + regions[i]->reserved, context);
}

void heap_count_allocated(size_t bytes) {
    AO_fetch_and_add(&heap.allocated, bytes);
    size_t live = AO_fetch_and_add(&heap.live, bytes) + bytes;
    if (live > AO_load(&heap.peak))
        AO_store(&heap.peak, live);
    if (live > AO_load(&heap.peak_in_cycle))
        AO_store(&heap.peak_in_cycle, live);
    heap_count_marked(bytes);
}

void heap_count_freed(size_t bytes, size_t marked) {
    AO_fetch_and_add(&heap.freed, bytes);
    AO_fetch_and_add(&heap.live, -bytes);
    heap_count_marked(-marked);
}
