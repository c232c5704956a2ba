/* A table of walks, a few for each place where they began; see recall.h. */
#include "leak/recall.h"

#include "os/vm.h"
#include "roots/ranges.h"

#include <atomic_ops.h>

enum { PLACES_BITS = 10, PLACES = 1 << PLACES_BITS, WALKS = 8 };

/* Four words of the stack, each by its distance from the stack pointer in words. All are in one
 * place, because what is recalled should stay in the processor's first cache. */
enum { IN_GROUP = 4, GROUPS = UNWIND_WORDS / IN_GROUP, MOST_DISTANCE = UINT16_MAX };

struct group {
    volatile uint16_t distances[IN_GROUP];
    volatile uintptr_t values[IN_GROUP];
};

struct walk {
    unsigned number, generation;
    struct unwind_frame frame;
    uintptr_t limit;
    bool needs_fp;
    unsigned group_count;
    struct group groups[GROUPS];
};

/* Where allocators of the program's own stand between, one place has many walks through it. A
 * writer makes the version odd, and even again; a reader that saw another one before than after, or
 * an odd one, has seen nothing. So that no reader needs a locked instruction. */
struct place {
    volatile unsigned version;            /* by compare-and-swap; release when it becomes even */
    unsigned next;                        /* to be replaced */
    volatile unsigned short walks[WALKS]; /* numbers; from the first 0 on there are none */
};

/* A place gets its walks when it needs them, one after the other, and keeps them: so that few pages
 * are in use where there are few walks. */
static struct {
    struct place places[PLACES];
    struct walk walks[PLACES * WALKS + 1];
} * table;
static volatile unsigned walks_used;

/* What the words hold may be anything, the last pointer to a lost block among others. */
bool recall_start(void) {
    struct vm_region region;
    if (!vm_region_make(&region, sizeof *table))
        return false;
    table = (void *)region.start;
    return roots_exclude(region.start, region.start + region.reserved);
}

static struct place *place_of(const struct unwind_frame *frame) {
    uint64_t hash = (frame->pc ^ frame->sp << 28) * 0x9e3779b97f4a7c15u;
    return &table->places[hash >> (64 - PLACES_BITS)];
}

static bool begins_alike(const struct walk *walk, const struct unwind_frame *frame, uintptr_t limit,
                         unsigned generation) {
    return walk->number && walk->frame.pc == frame->pc && walk->frame.sp == frame->sp &&
           walk->limit == limit && walk->generation == generation &&
           (!walk->needs_fp || walk->frame.fp == frame->fp);
}

/* Words between the stack pointer and the stack's end can be read. Others are only there while
 * somebody writes the walk. */
static inline bool is_same(const struct group *group, unsigned i, const uintptr_t *sp,
                           size_t room) {
    size_t distance = group->distances[i];
    return distance < room && sp[distance] == group->values[i];
}

static inline bool is_unchanged(const struct walk *walk, const uintptr_t *sp, size_t room) {
    size_t count = *(const volatile unsigned *)&walk->group_count;
    const struct group *group = walk->groups, *end = group + (count < GROUPS ? count : GROUPS);
    for (; group < end; group++)
        if (!is_same(group, 0, sp, room) || !is_same(group, 1, sp, room) ||
            !is_same(group, 2, sp, room) || !is_same(group, 3, sp, room))
            return false;
    return true;
}

/* The last group is filled up with its last word. False when a word does not fit. */
static bool pack(struct walk *walk, const struct unwind_stack *stack, uintptr_t sp) {
    size_t groups = (stack->word_count + IN_GROUP - 1) / IN_GROUP;
    if (groups > GROUPS)
        return false;
    for (size_t i = 0; i < groups * IN_GROUP; i++) {
        size_t last = stack->word_count - 1;
        struct unwind_word word = stack->words[i < last ? i : last];
        size_t distance = (word.at - sp) / sizeof(uintptr_t);
        if (word.at % sizeof(uintptr_t) || distance > MOST_DISTANCE)
            return false;
        walk->groups[i / IN_GROUP].distances[i % IN_GROUP] = distance;
        walk->groups[i / IN_GROUP].values[i % IN_GROUP] = word.value;
    }
    walk->group_count = groups;
    return true;
}

unsigned recall_number(const struct unwind_frame *frame, uintptr_t limit, unsigned generation) {
    const struct place *place = place_of(frame);
    unsigned number = 0, version = AO_int_load_acquire(&place->version);
    if (limit == 0 || version % 2 != 0)
        return 0;
    const uintptr_t *sp = (const uintptr_t *)frame->sp;
    size_t room = (limit - frame->sp) / sizeof(uintptr_t);
    for (unsigned i = 0; i < WALKS && place->walks[i] && number == 0; i++) {
        const struct walk *walk = &table->walks[place->walks[i]];
        if (begins_alike(walk, frame, limit, generation) && is_unchanged(walk, sp, room))
            number = walk->number;
    }
    AO_nop_read();
    return AO_int_load(&place->version) == version ? number : 0;
}

void recall_keep(const struct unwind_frame *frame, uintptr_t limit, unsigned generation,
                 const struct unwind_stack *stack, unsigned number) {
    struct place *place = place_of(frame);
    unsigned version = AO_int_load(&place->version);
    if (limit == 0 || number == 0 || frame->sp % sizeof(uintptr_t) || version % 2 != 0 ||
        !AO_int_compare_and_swap_full(&place->version, version, version + 1))
        return;
    volatile unsigned short *at = &place->walks[place->next++ % WALKS];
    if (*at == 0)
        *at = AO_int_fetch_and_add1(&walks_used) + 1;
    struct walk *walk = &table->walks[*at];
    walk->number = 0;
    walk->generation = generation;
    walk->frame = *frame;
    walk->limit = limit;
    walk->needs_fp = stack->needs_fp;
    if (pack(walk, stack, frame->sp))
        walk->number = number;
    AO_int_store_release(&place->version, version + 2);
}
