/* The list, and the steps to what a mark has found; see returned.h. */
#include "leak/returned.h"

#include "leak/record.h"
#include "leak/search.h"
#include "leak/writer.h"

#include "os/vm.h"
#include "roots/ranges.h"

#include <string.h>

enum { MOST_LISTED = 1 << 17, MOST_WHOLE = 1000, MOST_STACKS = 1 << 22 };
static const size_t most_step_bytes = 256 << 20;

struct returned {
    uintptr_t hidden; /* the address, inverted */
    size_t bytes, steps;
    unsigned stack, used, step_bytes;
    volatile unsigned how; /* plus 1; release, when the rest is written */
};

static struct vm_region region, step_region, name_region;
static size_t step_bytes;         /* the conductor's */
static volatile AO_t count;       /* any thread adds */
static volatile AO_t bytes_total; /* the same */

static struct returned *list(void) { return (struct returned *)region.start; }

static bool make(struct vm_region *table, size_t bytes) {
    return vm_region_make(table, bytes) &&
           roots_exclude(table->start, table->start + table->reserved);
}

bool returned_start(void) {
    return make(&region, MOST_LISTED * sizeof(struct returned)) &&
           make(&name_region, MOST_STACKS) && make(&step_region, most_step_bytes);
}

static void name_stack(unsigned stack) {
    if (stack < name_region.reserved)
        ((volatile char *)name_region.start)[stack] = 1;
}

void returned_name(const struct note *note) { name_stack(note_stack(note)); }

bool returned_names(unsigned stack) {
    return stack < name_region.reserved && ((volatile char *)name_region.start)[stack];
}

static struct returned *add(struct object object, const struct note *note) {
    size_t bytes = record_bytes(object, note), at = AO_fetch_and_add1(&count);
    AO_fetch_and_add(&bytes_total, bytes);
    if (at >= MOST_LISTED)
        return NULL;
    struct returned *returned = list() + at;
    *returned = (struct returned){
        .hidden = ~object_address(object), .bytes = bytes, .stack = note_stack(note)};
    name_stack(returned->stack);
    return returned;
}

void returned_add(struct object object, const struct note *note, enum returned_how how,
                  unsigned stack) {
    struct returned *returned = add(object, note);
    if (returned == NULL)
        return;
    returned->used = stack;
    name_stack(stack);
    AO_int_store_release(&returned->how, how + 1);
}

/* By way of the writer, which nobody else has in a trial before its end. */
static void keep_steps(struct returned *returned, size_t number) {
    size_t bytes;
    if (!writer_begin())
        return;
    search_write(number, returned < list() + MOST_WHOLE);
    const char *text = writer_text(&bytes);
    if (bytes <= step_region.reserved - step_bytes) {
        memcpy((char *)step_region.start + step_bytes, text, bytes);
        returned->steps = step_bytes;
        returned->step_bytes = bytes;
        step_bytes += bytes;
    }
    writer_drop();
}

void returned_add_found(struct object object, const struct note *note, enum returned_how how,
                        size_t number) {
    struct returned *returned = add(object, note);
    if (returned == NULL)
        return;
    keep_steps(returned, number);
    AO_int_store_release(&returned->how, how + 1);
}

size_t returned_blocks(void) { return AO_load(&count); }
size_t returned_bytes(void) { return AO_load(&bytes_total); }

static void write_one(const struct returned *returned) {
    static const char *const names[] = {"freed", "resized", "asked", "written", "held", "with"};
    unsigned how = AO_int_load_acquire(&returned->how);
    if (how == 0)
        return;
    writer_add("returned 0x%lx %zu %u %u %s", ~returned->hidden, returned->bytes, returned->stack,
               returned->used, names[how - 1]);
    writer_add("%.*s\n", (int)returned->step_bytes, (char *)step_region.start + returned->steps);
}

void returned_write(void) {
    size_t listed = returned_blocks() < MOST_LISTED ? returned_blocks() : MOST_LISTED;
    for (size_t i = 0; i < listed; i++)
        write_one(list() + i);
}

void returned_after_fork(void) {
    AO_store(&count, 0);
    AO_store(&bytes_total, 0);
    step_bytes = 0;
}
