/* The search and what it found; see chains.h. */
#include "leak/chains.h"

#include "leak/check.h"
#include "leak/dangling.h"
#include "leak/edges.h"
#include "leak/links.h"
#include "leak/lost.h"
#include "leak/modules.h"
#include "leak/record.h"
#include "leak/writer.h"

#include "os/maps.h"
#include "os/memory.h"
#include "os/resident.h"
#include "os/tasks.h"
#include "os/vm.h"
#include "roots/ranges.h"
#include "thread/thread.h"

#include <stdio.h>
#include <string.h>

/* An entry is a root's word, by its address, or an object, by its granule in the heap and the
 * number of the entry that led to it. */
enum { PARENT_BITS = 27, COPY_BYTES = 16384, OVERLAP = 8, MOST_CHAINS = 100, MOST_STEPS = 60 };
#define ENTRY_IS_ROOT ((uint64_t)1 << 63)
static const uint64_t parent_mask = ((uint64_t)1 << PARENT_BITS) - 1;

enum root_kind { ROOT_DATA, ROOT_MAP, ROOT_STACK, ROOT_KINDS };

static struct {
    struct vm_region region;
    size_t count, room;
    enum root_kind wanted;
    uintptr_t data_end;
    unsigned groups[MOST_CHAINS]; /* stacks whose live blocks are to be explained */
    size_t group_count;
    const struct sums *sums;
    struct vm_region first_region;
    unsigned *first; /* by stack: the first entry of a block of it, plus one */
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

static bool is_reached(uintptr_t address) {
    unsigned link = links_get(address);
    return link > 0 && link <= search.count && !is_root(link - 1) &&
           entry_address(link - 1) == address;
}

/* The first block of a stack that is reached is the one with the shortest chain. */
static void note_first(const struct note *note, size_t number) {
    bool counts = note->stack != NOTE_NOBODY && !(note->stack & NOTE_FREED);
    unsigned stack = counts ? note_stack(note) : UINT32_MAX;
    if (stack < search.sums->stacks && search.first[stack] == 0)
        search.first[stack] = number;
}

/* Lost blocks are left alone: their link is the list's. What is in quarantine is reached and leads
 * nowhere. */
static bool reach(struct object target, size_t parent) {
    struct note *note = note_of(target);
    uintptr_t address = object_address(target);
    if (note == NULL || object_is_free(*object_state(target)) || is_reached(address) ||
        lost_contains(address, note))
        return false;
    uint64_t granule = (address - heap.objects.start) / SIZES_GRANULE;
    if (!links_set(address, search.count + 1) || !add(granule << PARENT_BITS | parent))
        return false;
    note_first(note, search.count);
    return true;
}

static void visit_edge(struct object target, size_t offset, void *context) {
    (void)offset;
    reach(target, *(const size_t *)context);
}

/* A root's word becomes an entry when it is the first to lead to an object. */
static void visit_root_word(struct object target, size_t offset, void *context) {
    uintptr_t base = *(const uintptr_t *)context;
    if (search.room - search.count < 2)
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
           overlaps(start, end, (uintptr_t)search.sums->lost,
                    2 * search.sums->stacks * sizeof(struct sum));
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

/* The main thread's is known by what the kernel calls it. */
static const struct thread *thread_with_stack(uintptr_t address) {
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (address - thread->stack_low < thread->stack_high - thread->stack_low)
            return thread;
    return NULL;
}

static enum root_kind kind_of(const struct map *map) {
    bool file = map->kind == MAP_KIND_FILE;
    bool follows = map->kind == MAP_KIND_MEMORY && map->start == search.data_end;
    if (file || follows)
        search.data_end = map->end;
    if (map->kind == MAP_KIND_MAIN_STACK ||
        thread_with_stack(map->start + (map->end - map->start) / 2))
        return ROOT_STACK;
    return file || follows ? ROOT_DATA : ROOT_MAP;
}

static void visit_map(const struct map *map, void *context) {
    (void)context;
    if (!map->readable || map->kind == MAP_KIND_OTHER ||
        (map->kind == MAP_KIND_FILE && (map->shared || !map->writable)))
        return;
    if (kind_of(map) == search.wanted)
        resident_each(map->start, map->end, map->kind == MAP_KIND_FILE, scan_run, NULL);
}

static void follow_all(void) {
    for (size_t i = 0; i < search.count; i++) {
        struct object object;
        if (!is_root(i) && object_find(entry_address(i), &object) &&
            object_is_allocated(*object_state(object)))
            edges_each_in(object, visit_edge, &i);
    }
}

static bool matters_more(const struct sum *live, unsigned stack, unsigned than) {
    bool grows = sums_growth(stack)->grew > 0, other = sums_growth(than)->grew > 0;
    return grows != other ? grows : live[stack].bytes > live[than].bytes;
}

/* Insertion into a short sorted list. */
static void choose_groups(const struct sums *sums) {
    search.group_count = 0;
    for (unsigned stack = 0; stack < sums->stacks; stack++) {
        size_t at = search.group_count;
        if (sums->live[stack].blocks == 0)
            continue;
        while (at > 0 && matters_more(sums->live, stack, search.groups[at - 1]))
            at--;
        if (at == MOST_CHAINS)
            continue;
        size_t after =
            (search.group_count < MOST_CHAINS ? search.group_count : MOST_CHAINS - 1) - at;
        memmove(&search.groups[at + 1], &search.groups[at], after * sizeof *search.groups);
        search.groups[at] = stack;
        if (search.group_count < MOST_CHAINS)
            search.group_count++;
    }
}

static bool make_room(void) {
    size_t room = AO_load(&heap.objects.committed) / SIZES_GRANULE * 2 + 1;
    if (room > parent_mask)
        room = parent_mask;
    search.count = 0;
    search.room = 0;
    size_t bytes = room * sizeof(uint64_t), first = search.sums->stacks * sizeof(unsigned);
    if (!vm_region_make(&search.region, bytes) || !vm_region_make(&search.first_region, first))
        return false;
    search.first = (unsigned *)search.first_region.start;
    search.room = room;
    return true;
}

void chains_find(const struct sums *sums) {
    search.sums = sums;
    choose_groups(sums);
    if ((search.group_count == 0 && dangling_count() == 0) || !make_room())
        return;
    for (int kind = ROOT_DATA; kind < ROOT_KINDS; kind++) {
        search.wanted = kind;
        search.data_end = 0;
        maps_each(visit_map, NULL);
        follow_all();
    }
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
    writer_add(" block:0x%lx:%zu:%zu:%u", object_address(object), record_bytes(object, note),
               wanted.offset, note_stack(note));
}

static void write_root(uintptr_t address) {
    const struct thread *thread = thread_with_stack(address);
    modules_learn(address);
    if (module_at(address))
        writer_add(" data:0x%lx", address);
    else if (thread)
        writer_add(" thread:%d:0x%lx", thread->tid, address);
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

static void write_chain(unsigned stack, size_t last) {
    writer_add("chain %u", stack);
    write_steps(last);
    writer_add("\n");
}

bool chains_has(uintptr_t address) { return is_reached(address); }

void chains_write_steps(uintptr_t address, bool whole) {
    size_t number = links_get(address) - 1;
    if (whole)
        write_steps(number);
    else
        write_step(*entry(number) & parent_mask, entry_address(number));
}

void chains_write(void) {
    for (size_t i = 0; i < search.group_count && search.room > 0; i++) {
        unsigned stack = search.groups[i];
        if (search.first[stack])
            write_chain(stack, search.first[stack] - 1);
    }
}

void chains_end(void) {
    vm_region_end(&search.region);
    vm_region_end(&search.first_region);
    search.count = search.room = 0;
}
