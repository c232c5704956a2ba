/* A table of walks, a few for each place where they began; see recall.h. */
#include "leak/recall.h"

#include "mark/roots.h"
#include "os/vm.h"

#include <atomic_ops.h>

enum { PLACES = 1024, WALKS = 8 };

/* A word of the stack in half the room, because what is recalled should stay in the processor's
 * first cache: its value, an address of 48 bits, above its distance from the stack pointer in
 * words. */
typedef uint64_t packed_word;
enum { DISTANCE_BITS = 16, MOST_DISTANCE = (1 << DISTANCE_BITS) - 1 };

struct walk {
    unsigned number, generation;
    struct unwind_frame frame;
    uintptr_t limit;
    bool needs_fp;
    unsigned word_count;
    packed_word words[UNWIND_WORDS];
};

/* Where allocators of the program's own stand between, one place has many walks through it. A
 * writer makes the version odd, and even again; a reader that saw another one before than after, or
 * an odd one, has seen nothing. So that no reader needs a locked instruction. */
struct place {
    volatile unsigned version; /* by compare-and-swap; release when it becomes even */
    unsigned next;             /* to be replaced */
    struct walk walks[WALKS];
};

static struct vm_region table;

/* What the words hold may be anything, the last pointer to a lost block among others. */
bool recall_start(void) {
    size_t bytes = PLACES * sizeof(struct place);
    return vm_region_reserve(&table, bytes) && vm_region_commit(&table, bytes, 0) &&
           roots_exclude(table.start, table.start + table.reserved);
}

static struct place *place_of(const struct unwind_frame *frame) {
    uint64_t hash = (frame->pc + frame->sp * 31) * 0x9e3779b97f4a7c15u;
    return (struct place *)table.start + (hash >> 32) % PLACES;
}

static bool begins_alike(const struct walk *walk, const struct unwind_frame *frame, uintptr_t limit,
                         unsigned generation) {
    return walk->number && walk->frame.pc == frame->pc && walk->frame.sp == frame->sp &&
           walk->limit == limit && walk->generation == generation &&
           (!walk->needs_fp || walk->frame.fp == frame->fp);
}

/* Words between the stack pointer and the stack's end can be read. Others are only there while
 * somebody writes the walk. */
static bool is_unchanged(const struct walk *walk, const uintptr_t *sp, size_t room) {
    unsigned count = walk->word_count;
    const volatile packed_word *word = walk->words, *end = word + count;
    for (; count <= UNWIND_WORDS && word < end; word++) {
        packed_word packed = *word;
        size_t distance = packed & MOST_DISTANCE;
        if (distance >= room || sp[distance] != packed >> DISTANCE_BITS)
            return false;
    }
    return count <= UNWIND_WORDS;
}

/* False when a word does not fit. */
static bool pack(struct walk *walk, const struct unwind_stack *stack, uintptr_t sp) {
    if (stack->word_count > UNWIND_WORDS)
        return false;
    for (size_t i = 0; i < stack->word_count; i++) {
        struct unwind_word word = stack->words[i];
        size_t distance = (word.at - sp) / sizeof(uintptr_t);
        if (word.at % sizeof(uintptr_t) || distance > MOST_DISTANCE ||
            word.value >> (64 - DISTANCE_BITS))
            return false;
        walk->words[i] = word.value << DISTANCE_BITS | distance;
    }
    walk->word_count = stack->word_count;
    return true;
}

unsigned recall_number(struct unwind_frame frame, uintptr_t limit, unsigned generation) {
    struct place *place = place_of(&frame);
    unsigned number = 0;
    unsigned version = AO_int_load_acquire(&place->version);
    if (limit == 0 || version % 2 != 0)
        return 0;
    size_t room = (limit - frame.sp) / sizeof(uintptr_t);
    for (const struct walk *walk = place->walks; walk < place->walks + WALKS && number == 0;
         walk++) {
        if (begins_alike(walk, &frame, limit, generation) &&
            is_unchanged(walk, (const uintptr_t *)frame.sp, room))
            number = walk->number;
    }
    AO_nop_read();
    return AO_int_load(&place->version) == version ? number : 0;
}

void recall_keep(struct unwind_frame frame, uintptr_t limit, unsigned generation,
                 const struct unwind_stack *stack, unsigned number) {
    struct place *place = place_of(&frame);
    unsigned version = AO_int_load(&place->version);
    if (limit == 0 || number == 0 || frame.sp % sizeof(uintptr_t) || version % 2 != 0 ||
        !AO_int_compare_and_swap_full(&place->version, version, version + 1))
        return;
    struct walk *walk = &place->walks[place->next++ % WALKS];
    walk->number = 0;
    walk->generation = generation;
    walk->frame = frame;
    walk->limit = limit;
    walk->needs_fp = stack->needs_fp;
    if (pack(walk, stack, frame.sp))
        walk->number = number;
    AO_int_store_release(&place->version, version + 2);
}
