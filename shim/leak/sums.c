/* One pass over the list of lost blocks and one over all notes; see sums.h. */
#include "leak/sums.h"

#include "leak/depot.h"
#include "leak/lost.h"
#include "leak/record.h"

#include "heap/notes.h"
#include "os/vm.h"

static struct vm_region region, growth_region, collected_region;
static struct sums sums;
static bool has_growth; /* a check was made before */

static void add_size(struct sum *sum, unsigned bytes) {
    for (int i = 0; i < SUM_SIZES; i++) {
        if (sum->counts[i] == 0)
            sum->sizes[i] = bytes;
        if (sum->sizes[i] == bytes) {
            sum->counts[i]++;
            return;
        }
    }
    sum->other_sizes++;
}

static void add_block(struct sum *sum, struct object object, const struct note *note) {
    if (sum->blocks == 0 || note->time < sum->first)
        sum->first = note->time;
    if (note->time > sum->last)
        sum->last = note->time;
    if (sum->blocks++ == 0)
        sum->sample = object_address(object);
    sum->bytes += record_bytes(object, note);
}

/* NULL when the block has been freed and taken by somebody since, as hidden pointers allow. */
static const struct note *lost_note(const struct lost *lost, struct object *object) {
    if (!object_find(lost->address, object))
        return NULL;
    const struct note *note = note_of(*object);
    return note && lost_contains(lost->address, note) && record_is_block(note) &&
                   note_stack(note) < sums.stacks
               ? note
               : NULL;
}

static void sum_lost(void) {
    for (size_t i = 0; i < lost_count(); i++) {
        const struct lost *lost = lost_get(i);
        struct object object, owner;
        const struct note *note = lost_note(lost, &object);
        const struct note *owner_note = lost_note(lost_get(lost->owner - 1), &owner);
        if (note == NULL || owner_note == NULL)
            continue;
        struct sum *sum = &sums.lost[note_stack(owner_note)];
        if (lost->owner == i + 1) {
            add_block(sum, object, note);
            add_size(sum, record_bytes(object, note));
        } else {
            sum->held_blocks++;
            sum->held_bytes += record_bytes(object, note);
        }
        sums.blocks++;
        sums.bytes += record_bytes(object, note);
    }
}

/* What is inherited is live, too. */
static bool is_counted(struct object object, const struct note *note) {
    if (note->stack & NOTE_FREED)
        return false;
    return note->stack != NOTE_NOBODY ||
           (record_is_block(note) && object_is_allocated(*object_state(object)));
}

static void add_live(struct object object, struct note *note, void *context) {
    (void)context;
    if (!is_counted(object, note) || note_stack(note) >= sums.stacks ||
        lost_contains(object_address(object), note))
        return;
    add_block(&sums.live[note_stack(note)], object, note);
    sums.blocks++;
    sums.bytes += record_bytes(object, note);
}

struct sums *sums_make(void) {
    unsigned stacks = depot_count();
    size_t bytes = 2 * stacks * sizeof(struct sum);
    if (!vm_region_make(&region, bytes))
        return NULL;
    sums = (struct sums){.lost = (struct sum *)region.start, .stacks = stacks};
    sums.live = sums.lost + stacks;
    sum_lost();
    notes_each(add_live, NULL);
    return &sums;
}

void sums_end(void) { vm_region_end(&region); }

/* The record of a stack in a table that lives as long as the process; NULL when out of memory. */
static void *record_of(struct vm_region *table, unsigned stack, size_t bytes) {
    enum { MOST_STACKS = 1 << 22, STEP = 1 << 16 };
    if (table->reserved == 0)
        vm_region_reserve(table, MOST_STACKS * bytes);
    if (!vm_region_commit(table, (stack + 1) * bytes, STEP))
        return NULL;
    return (char *)table->start + stack * bytes;
}

static struct growth *growth_of(unsigned stack) {
    static struct growth none;
    struct growth *growth = record_of(&growth_region, stack, sizeof *growth);
    return growth ? growth : &none;
}

const struct growth *sums_growth(unsigned stack) { return growth_of(stack); }

const struct sum *sums_collected(unsigned stack) {
    static const struct sum none;
    const struct sum *sum = record_of(&collected_region, stack, sizeof *sum);
    return sum ? sum : &none;
}

/* No address is kept: the table is memory like any other, and would lead to whatever lies there. */
static void add_collected(struct sum *to, const struct sum *sum) {
    if (to->blocks == 0 || sum->first < to->first)
        to->first = sum->first;
    if (sum->last > to->last)
        to->last = sum->last;
    to->blocks += sum->blocks;
    to->bytes += sum->bytes;
    to->held_blocks += sum->held_blocks;
    to->held_bytes += sum->held_bytes;
}

void sums_note_collected(const struct sums *sums) {
    for (unsigned stack = 0; stack < sums->stacks; stack++) {
        const struct sum *sum = &sums->lost[stack];
        struct sum *to = sum->blocks ? record_of(&collected_region, stack, sizeof *to) : NULL;
        if (to)
            add_collected(to, sum);
    }
}

void sums_after_fork(void) {
    sums_end();
    vm_region_end(&collected_region);
}

void sums_note_growth(struct sums *sums) {
    for (unsigned stack = 0; stack < sums->stacks; stack++) {
        struct growth *growth = growth_of(stack);
        bool grew = has_growth && sums->live[stack].bytes > growth->bytes;
        growth->grew = grew ? growth->grew + 1 : 0;
        growth->bytes = sums->live[stack].bytes;
    }
    has_growth = true;
}
