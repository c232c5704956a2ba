/* Roots, entries and steps; see search.h. */
#include "leak/search.h"

#include "leak/dangling.h"
#include "leak/edges.h"
#include "leak/links.h"
#include "leak/lost.h"
#include "leak/modules.h"
#include "leak/record.h"
#include "leak/stopped.h"
#include "leak/writer.h"

#include "os/maps.h"
#include "os/memory.h"
#include "os/resident.h"
#include "os/tasks.h"
#include "os/vm.h"
#include "roots/ranges.h"
#include "thread/thread.h"

/* An entry is a root's word, by its address, or an object, by its granule in the heap and the
 * number of the entry that led to it. */
enum { PARENT_BITS = 27, COPY_BYTES = 16384, OVERLAP = 8, MOST_STEPS = 60 };
#define ENTRY_IS_ROOT ((uint64_t)1 << 63)
static const uintptr_t address_mask = ((uintptr_t)1 << 48) - 1;
static const uint64_t parent_mask = ((uint64_t)1 << PARENT_BITS) - 1;

static struct {
    struct vm_region region;
    size_t count, room;
    size_t followed; /* entries whose words have been looked at */
    enum search_roots wanted;
    uintptr_t data_end;
    struct search_rules rules;
} search;

static uint64_t *entry(size_t number) { return (uint64_t *)search.region.start + number; }

static uintptr_t entry_address(size_t number) {
    uint64_t granule = *entry(number) >> PARENT_BITS;
    return heap.objects.start + granule * SIZES_GRANULE;
}

static bool is_root(size_t number) { return (*entry(number) & ENTRY_IS_ROOT) != 0; }

static bool add(uint64_t word) {
    if (search.count == search.room)
        return false;
    *entry(search.count++) = word;
    return true;
}

size_t search_count(void) { return search.count; }

bool search_has(uintptr_t address, size_t *number) {
    unsigned link = links_get(address);
    if (link == 0 || link > search.count || is_root(link - 1) || entry_address(link - 1) != address)
        return false;
    *number = link - 1;
    return true;
}

/* Lost blocks are left alone: their link is the list's. What is in quarantine is reached and leads
 * nowhere. */
static bool reach(struct object target, size_t parent) {
    struct note *note = note_of(target);
    uintptr_t address = object_address(target);
    size_t number;
    if (note == NULL || object_is_free(*object_state(target)) || search_has(address, &number) ||
        lost_contains(address, note) ||
        (search.rules.may_reach && !search.rules.may_reach(target, note)))
        return false;
    uint64_t granule = (address - heap.objects.start) / SIZES_GRANULE;
    if (!links_set(address, search.count + 1) || !add(granule << PARENT_BITS | parent))
        return false;
    if (search.rules.reached)
        search.rules.reached(note, search.count - 1);
    return true;
}

static bool is_pointer(uintptr_t at, struct object target) {
    uintptr_t word;
    struct object found;
    if (memory_read(&word, at, sizeof word) != sizeof word)
        return false;
    if ((word & address_mask) == object_address(target))
        return true;
    return object_find(word, &found) && found.span == target.span && found.index == target.index;
}

static bool counts(uintptr_t at, struct object target) {
    const struct note *note = note_of(target);
    return search.rules.wants_pointer == NULL || note == NULL ||
           !search.rules.wants_pointer(note) || is_pointer(at, target);
}

static void visit_edge(struct object target, size_t offset, void *context) {
    size_t number = *(const size_t *)context;
    if (counts(entry_address(number) + offset, target))
        reach(target, number);
}

/* A root's word becomes an entry when it is the first to lead to an object. */
static void visit_root_word(struct object target, size_t offset, void *context) {
    uintptr_t base = *(const uintptr_t *)context;
    if (search.room - search.count < 2 || !counts(base + offset, target))
        return;
    add(ENTRY_IS_ROOT | (base + offset));
    if (!reach(target, search.count - 1))
        search.count--;
}

static bool overlaps(uintptr_t start, uintptr_t end, uintptr_t own, size_t bytes) {
    return start < own + bytes && own < end;
}

static bool is_own;

static void compare_region(uintptr_t start, uintptr_t end, void *context) {
    const uintptr_t *part = context;
    is_own |= overlaps(part[0], part[1], start, end - start);
}

/* What we keep about the blocks ourselves explains nothing. */
static bool is_ours(uintptr_t start, uintptr_t end) {
    uintptr_t part[2] = {start, end};
    is_own = false;
    heap_each_region(compare_region, part);
    return is_own || dangling_owns(start, end) || roots_are_excluded(start, end) ||
           overlaps(start, end, search.region.start, search.region.reserved) ||
           links_own(start, end) ||
           overlaps(start, end, (uintptr_t)lost_get(0), lost_count() * sizeof(struct lost)) ||
           (search.rules.owns && search.rules.owns(start, end));
}

static void scan_run(uintptr_t start, uintptr_t end, void *context) {
    _Alignas(16) unsigned char copy[COPY_BYTES + OVERLAP];
    (void)context;
    for (; start < end; start += COPY_BYTES) {
        size_t want = end - start < sizeof copy ? end - start : sizeof copy;
        if (is_ours(start, start + want))
            continue;
        size_t got = memory_read(copy, start, want);
        edges_each(copy, got, visit_root_word, &start);
    }
}

/* Stacks have their own turn. */
static void scan_beside_stacks(uintptr_t start, uintptr_t end, void *context) {
    uintptr_t low = 0, high = 0;
    while (search.rules.stopped && start < end && stopped_next_stack(start, end, &low, &high)) {
        if (start < low)
            scan_run(start, low, context);
        start = high;
    }
    if (start < end)
        scan_run(start, end, context);
}

/* The main thread's is known by what the kernel calls it. */
static const struct thread *thread_with_stack(uintptr_t address) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (address - thread->stack_low < thread->stack_high - thread->stack_low)
            return thread;
    return NULL;
}

/* A thread may be on a stack of the program's making. */
static bool holds_a_stack_pointer(const struct map *map) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (thread->stack_pointer - map->start < map->end - map->start)
            return true;
    return false;
}

static enum search_roots kind_of(const struct map *map) {
    bool file = map->kind == MAP_KIND_FILE;
    bool follows = map->kind == MAP_KIND_MEMORY && map->start == search.data_end;
    if (file || follows)
        search.data_end = map->end;
    if (map->kind == MAP_KIND_MAIN_STACK ||
        thread_with_stack(map->start + (map->end - map->start) / 2) ||
        (search.rules.stopped && holds_a_stack_pointer(map)))
        return SEARCH_STACKS;
    return file || follows ? SEARCH_DATA : SEARCH_MAPS;
}

static void visit_map(const struct map *map, void *context) {
    (void)context;
    stopped_note_map(map);
    if (!map->readable || map->kind == MAP_KIND_OTHER ||
        (map->kind == MAP_KIND_FILE && (map->shared || !map->writable)))
        return;
    if (kind_of(map) == search.wanted)
        resident_each(map->start, map->end, map->kind == MAP_KIND_FILE, scan_beside_stacks, NULL);
}

static void scan_registers(const void *start, size_t bytes, void *context) {
    uintptr_t base = (uintptr_t)start;
    (void)context;
    edges_each(start, bytes, visit_root_word, &base);
}

static void scan_stopped(enum search_roots kind) {
    if (kind == SEARCH_STACKS)
        stopped_each_live(scan_run);
    else if (kind == SEARCH_REGISTERS)
        stopped_each_register(scan_registers);
}

static bool leads_on(struct object object, size_t number) {
    const struct note *note = note_of(object);
    return note && (search.rules.leads_on == NULL || search.rules.leads_on(note, number));
}

static void follow(void) {
    for (; search.followed < search.count; search.followed++) {
        size_t number = search.followed;
        struct object object;
        if (!is_root(number) && object_find(entry_address(number), &object) &&
            object_is_allocated(*object_state(object)) && leads_on(object, number))
            edges_each_in(object, visit_edge, &number);
    }
}

void search_again(void) {
    search.followed = 0;
    follow();
}

bool search_begin(struct search_rules rules) {
    size_t room = AO_load(&heap.objects.committed) / SIZES_GRANULE * 2 + 1;
    if (room > parent_mask)
        room = parent_mask;
    search.rules = rules;
    search.count = search.room = search.followed = 0;
    size_t bytes = room * sizeof(uint64_t);
    if (!vm_region_make(&search.region, bytes))
        return false;
    search.room = room;
    return true;
}

void search_roots(enum search_roots kind) {
    search.wanted = kind;
    search.data_end = 0;
    if (kind <= SEARCH_STACKS)
        maps_each(visit_map, NULL);
    if (search.rules.stopped)
        scan_stopped(kind);
    follow();
}

void search_end(void) {
    vm_region_end(&search.region);
    search.count = search.room = 0;
}

static void (*visit_dead)(struct object target, size_t offset, void *context);

static void scan_dead(uintptr_t start, uintptr_t end, void *context) {
    _Alignas(16) unsigned char copy[COPY_BYTES + OVERLAP];
    (void)context;
    for (; start < end; start += COPY_BYTES) {
        size_t want = end - start < sizeof copy ? end - start : sizeof copy;
        size_t got = memory_read(copy, start, want);
        edges_each(copy, got, visit_dead, NULL);
    }
}

static void note_map(const struct map *map, void *context) {
    (void)context;
    stopped_note_map(map);
}

void search_dead_stacks(void (*visit)(struct object target, size_t offset, void *context)) {
    visit_dead = visit;
    maps_each(note_map, NULL);
    stopped_each_dead(scan_dead);
}

struct wanted_edge {
    uintptr_t target;
    size_t offset;
};

static void compare_target(struct object target, size_t offset, void *context) {
    struct wanted_edge *wanted = context;
    if (object_address(target) == wanted->target && wanted->offset == SIZE_MAX)
        wanted->offset = offset;
}

static void write_block(size_t number, uintptr_t target) {
    struct object object;
    struct wanted_edge wanted = {target, SIZE_MAX};
    if (!object_find(entry_address(number), &object) || note_of(object) == NULL)
        return;
    const struct note *note = note_of(object);
    edges_each_in(object, compare_target, &wanted);
    if (wanted.offset == SIZE_MAX)
        wanted.offset = 0;
    if (search.rules.written)
        search.rules.written(note);
    writer_add(" block:0x%lx:%zu:%zu:%u", object_address(object), record_bytes(object, note),
               wanted.offset, note_stack(note));
}

static void write_root(uintptr_t address) {
    const struct thread *by_register =
        search.rules.stopped ? stopped_thread_with_register(address) : NULL;
    const struct thread *by_stack = thread_with_stack(address);
    int tid = by_stack ? by_stack->tid : stopped_is_in_main_stack(address) ? tasks_process() : 0;
    modules_learn(address);
    if (module_at(address))
        writer_add(" data:0x%lx", address);
    else if (by_register)
        writer_add(" registers:%d", by_register->tid);
    else if (tid)
        writer_add(" thread:%d:0x%lx", tid, address);
    else
        writer_add(" map:0x%lx:-", address);
}

static void write_step(size_t number, uintptr_t target) {
    if (is_root(number))
        write_root(*entry(number) & ~ENTRY_IS_ROOT);
    else
        write_block(number, target);
}

/* From the block back to the root, and written the other way round; of a long chain the middle is
 * left out. */
static void write_steps(size_t last) {
    size_t steps[MOST_STEPS], count = 0, number = last;
    uintptr_t targets[MOST_STEPS];
    while (!is_root(number)) {
        size_t slot = count < MOST_STEPS ? count : MOST_STEPS - 1;
        size_t parent = *entry(number) & parent_mask;
        steps[slot] = parent;
        targets[slot] = entry_address(number);
        count = slot + 1;
        number = parent;
    }
    while (count-- > 0)
        write_step(steps[count], targets[count]);
}

void search_write(size_t number, bool whole) {
    if (whole)
        write_steps(number);
    else
        write_step(*entry(number) & parent_mask, entry_address(number));
}
