/* A table of walks, a few for each place where they began; see recall.h. */
#include "leak/recall.h"

#include "mark/roots.h"
#include "os/vm.h"

#include <atomic_ops.h>
#include <string.h>

enum { PLACES = 1024, WALKS = 8 };

struct walk {
    unsigned number, generation;
    struct unwind_frame frame;
    uintptr_t limit;
    bool needs_fp;
    unsigned word_count;
    struct unwind_word words[UNWIND_WORDS];
};

/* Where allocators of the program's own stand between, one place has many walks through it. */
struct place {
    volatile AO_TS_t busy; /* set by whoever looks or writes; another one goes without */
    unsigned next;         /* to be replaced */
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

/* All words lie between the stack pointer and the stack's end, so they can be read. */
static bool is_unchanged(const struct walk *walk) {
    for (unsigned i = 0; i < walk->word_count; i++)
        if (*(const volatile uintptr_t *)walk->words[i].at != walk->words[i].value)
            return false;
    return true;
}

unsigned recall_number(struct unwind_frame frame, uintptr_t limit, unsigned generation) {
    struct place *place = place_of(&frame);
    unsigned number = 0;
    if (limit == 0 || AO_test_and_set_acquire(&place->busy) == AO_TS_SET)
        return 0;
    for (unsigned i = 0; i < WALKS && number == 0; i++) {
        const struct walk *walk = &place->walks[i];
        if (begins_alike(walk, &frame, limit, generation) && is_unchanged(walk))
            number = walk->number;
    }
    AO_CLEAR(&place->busy);
    return number;
}

void recall_keep(struct unwind_frame frame, uintptr_t limit, unsigned generation,
                 const struct unwind_stack *stack, unsigned number) {
    struct place *place = place_of(&frame);
    if (limit == 0 || number == 0 || stack->word_count > UNWIND_WORDS ||
        AO_test_and_set_acquire(&place->busy) == AO_TS_SET)
        return;
    struct walk *walk = &place->walks[place->next++ % WALKS];
    walk->number = number;
    walk->generation = generation;
    walk->frame = frame;
    walk->limit = limit;
    walk->needs_fp = stack->needs_fp;
    walk->word_count = stack->word_count;
    memcpy(walk->words, stack->words, stack->word_count * sizeof *walk->words);
    AO_CLEAR(&place->busy);
}
