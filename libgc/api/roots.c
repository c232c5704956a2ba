/* Roots of the program's choice, pushing more of them in the stop, and mark bits. */
#include "api/api.h"

#include "heap/object.h"
#include "mark/scan.h"
#include "roots/ranges.h"
#include "thread/thread.h"
#include "weak/table.h"

#include <link.h>

int GC_all_interior_pointers = 1;
unsigned char api_end_byte;
void *GC_least_plausible_heap_addr = (void *)~(GC_word)0;
void *GC_greatest_plausible_heap_addr;

/* From when roots are pushed to the end of the stop: the marker of the conductor, which is the only
 * thread that runs and calls all functions of the program's that may mark. */
static struct marker *pushing;

void GC_add_roots(void *start, void *end) {
    api_start();
    if (start >= end)
        return;
    lock_take(&weak_lock);
    bool added = roots_add((uintptr_t)start, (uintptr_t)end);
    lock_give(&weak_lock);
    if (!added)
        api_abort("too many root sets");
}

/* Under the preload malloc's objects are ours, too, and what the program excludes for libgc's sake
 * may be all that leads to one. */
static bool exclude(uintptr_t start, uintptr_t end) {
    return !api_stands_alone || roots_exclude(start, end);
}

/* What was added; data segments are found again by each cycle, with libgc as here. */
void GC_remove_roots(void *start, void *end) {
    api_start();
    lock_take(&weak_lock);
    roots_remove((uintptr_t)start, (uintptr_t)end);
    lock_give(&weak_lock);
}

void GC_clear_roots(void) { GC_remove_roots(NULL, (void *)UINTPTR_MAX); }

void GC_exclude_static_roots(void *start, void *end) {
    api_start();
    lock_take(&weak_lock);
    bool added = exclude((uintptr_t)start & ~(uintptr_t)7, (uintptr_t)end);
    lock_give(&weak_lock);
    if (!added)
        api_abort("too many exclusions");
}

void GC_clear_exclusion_table(void) {
    lock_take(&weak_lock);
    roots_clear_excluded();
    lock_give(&weak_lock);
}

struct segment_search {
    uintptr_t address;
    bool found;
};

static int find_in_library(struct dl_phdr_info *library, size_t bytes, void *context) {
    struct segment_search *search = context;
    (void)bytes;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
        uintptr_t start = library->dlpi_addr + segment->p_vaddr;
        if (api_is_data_segment(segment) && search->address - start < segment->p_memsz)
            search->found = true;
    }
    return search->found;
}

/* Data segments, of the program and of libraries, are not registered but found. */
int GC_is_tmp_root(void *address) {
    struct segment_search search = {(uintptr_t)address, false};
    rank_expect_none("the loader's list is asked for");
    dl_iterate_phdr(find_in_library, &search);
    return search.found;
}

void GC_set_all_interior_pointers(int value) { GC_all_interior_pointers = value; }
int GC_get_all_interior_pointers(void) { return GC_all_interior_pointers; }

/* The bounds that clients compare pointers with before they push them: all we may ever use. Where
 * the program does without interior pointers, it does without the byte more that libgc would add
 * for pointers one past the end. */
void api_roots_start(void) {
    GC_least_plausible_heap_addr = (void *)heap.objects.start;
    GC_greatest_plausible_heap_addr = (void *)(heap.objects.start + heap.objects.reserved);
    if (GC_all_interior_pointers)
        api_end_byte = 1;
    else if (api_stands_alone)
        scan_without_ends();
}

/* libgc's default pushes the stacks of threads, which here are scanned anyway; whoever replaces it
 * calls it in turn. */
static void push_no_other_roots(void) {}

GC_push_other_roots_proc GC_push_other_roots = push_no_other_roots;

void GC_set_push_other_roots(GC_push_other_roots_proc function) { GC_push_other_roots = function; }
GC_push_other_roots_proc GC_get_push_other_roots(void) { return GC_push_other_roots; }

void api_push_roots(struct marker *marker) {
    pushing = marker;
    if (GC_push_other_roots)
        GC_push_other_roots();
}

void api_end_pushing(void) { pushing = NULL; }
struct marker *api_pushing(void) {
    return pushing;
}

/* Memory that the program names may have gone, or be another thread's stack. */
void GC_push_all(void *start, void *end) {
    if (pushing && start < end)
        scan_foreign(pushing, (uintptr_t)start, (uintptr_t)end, SCAN_WORDS);
}

void GC_push_all_eager(void *start, void *end) {
    if (pushing && start < end)
        scan_foreign(pushing, (uintptr_t)start, (uintptr_t)end, SCAN_STACK);
}

void GC_push_conditional(void *start, void *end, int all) {
    (void)all;
    GC_push_all(start, end);
}

/* What registrations keep alive is pushed in every cycle. */
void GC_push_finalizer_structures(void) {}

/* Mark procedures get the marker as their place on a mark stack, and give it back. */
struct GC_ms_entry *GC_mark_and_push(void *object, struct GC_ms_entry *marker,
                                     struct GC_ms_entry *limit, void **source) {
    (void)limit, (void)source;
    scan_word((struct marker *)marker, (uintptr_t)object);
    return marker;
}

int GC_is_marked(const void *address) {
    struct object object;
    if (!object_find((uintptr_t)address, &object))
        return 0;
    unsigned char state = *object_state(object);
    return state == OBJECT_GREY || state == object_live_colour();
}

/* Both in functions that the stop calls; at other times every object counts as marked. */
void GC_set_mark_bit(const void *address) {
    struct object object;
    if (pushing && object_find((uintptr_t)address, &object))
        scan_mark(pushing, object);
}

void GC_clear_mark_bit(const void *address) {
    struct object object;
    if (pushing && api_find(address, &object))
        AO_char_compare_and_swap_full(object_state(object), object_live_colour(), object_white());
}

struct enumeration {
    bool (*is_wanted)(unsigned char state);
    GC_reachable_object_proc function;
    void *data;
};

static void enumerate_span(struct span *span, const struct enumeration *to) {
    for (size_t i = 0; i < span->object_count; i++)
        if (to->is_wanted(span->states[i]))
            to->function((void *)span_object(span, i), span->object_bytes, to->data);
}

void api_each_object(bool (*is_wanted)(unsigned char state), GC_reachable_object_proc function,
                     void *data) {
    struct enumeration to = {is_wanted, function, data};
    const struct span *last = NULL;
    size_t pages = heap_page_of(heap.objects.start + AO_load(&heap.objects.committed));
    for (size_t page = 0; page < pages; page++) {
        struct span *span = heap_span_of(heap.objects.start + page * (size_t)HEAP_PAGE_BYTES);
        if (span && span != last)
            enumerate_span(span, &to);
        last = span;
    }
}

/* While a mark goes on, what it has not reached yet is what the last one left, and new objects. */
static bool is_reachable(unsigned char state) {
    return AO_char_load(&heap.marking) ? !object_is_free(state) : state == object_live_colour();
}

/* Objects in caches are told, too. With the alloc lock, as the name says. */
void GC_enumerate_reachable_objects_inner(GC_reachable_object_proc function, void *data) {
    api_each_object(is_reachable, function, data);
}
