/* An append-only arena with a hash table and a directory; see depot.h. */
#include "leak/depot.h"

#include "os/vm.h"
#include "roots/ranges.h"

#include <atomic_ops.h>
#include <string.h>

enum {
    BUCKET_BITS = 18,
    BUCKETS = 1 << BUCKET_BITS,
    MOST_STACKS = 1 << 22,
    LEAST_BYTES = 8 << 20,
    WORD = sizeof(uintptr_t)
};
static const size_t most_bytes = (size_t)2 << 30;

/* Places are distances from the arena's start in words; 0 is no place. */
static struct vm_region arena, directory;
static volatile unsigned buckets[BUCKETS]; /* whoever inserts, release */
static volatile AO_t used;                 /* words */
static volatile unsigned numbers = 1;

static bool reserve(struct vm_region *region, size_t bytes) {
    for (; bytes >= LEAST_BYTES; bytes /= 2)
        if (vm_region_make(region, bytes))
            return true;
    return false;
}

bool depot_start(void) {
    if (!reserve(&arena, most_bytes) || !reserve(&directory, MOST_STACKS * sizeof(unsigned)))
        return false;
    AO_store(&used, 1);
    roots_exclude(arena.start, arena.start + arena.reserved);
    roots_exclude(directory.start, directory.start + directory.reserved);
    return true;
}

static struct stack *stack_at(unsigned place) {
    return (struct stack *)(arena.start + (size_t)place * WORD);
}

static unsigned find(unsigned place, uint64_t hash, size_t count, unsigned generation) {
    for (; place; place = stack_at(place)->next) {
        const struct stack *stack = stack_at(place);
        if (stack->hash == hash && stack->count == count && stack->generation == generation)
            return stack->number;
    }
    return 0;
}

/* Room for one stack; 0 when there is none. */
static unsigned take_place(size_t count) {
    size_t words = sizeof(struct stack) / WORD + count;
    AO_t place = AO_fetch_and_add(&used, words);
    return (place + words) * WORD <= arena.reserved && place <= UINT32_MAX ? place : 0;
}

static unsigned take_number(void) {
    if (AO_int_load(&numbers) >= directory.reserved / sizeof(unsigned))
        return 0;
    unsigned number = AO_int_fetch_and_add1(&numbers);
    return number < directory.reserved / sizeof(unsigned) ? number : 0;
}

/* Who loses the race for the same stack leaves a number that stays unused. */
unsigned depot_number(const uintptr_t *pcs, size_t count, uint64_t hash, unsigned generation) {
    volatile unsigned *bucket = &buckets[hash >> (64 - BUCKET_BITS)];
    unsigned first = AO_int_load_acquire(bucket);
    unsigned number = find(first, hash, count, generation);
    if (number || count == 0)
        return number;
    unsigned place = take_place(count);
    if (place == 0 || (number = take_number()) == 0)
        return 0;
    struct stack *stack = stack_at(place);
    stack->number = number;
    stack->hash = hash;
    stack->generation = generation;
    stack->count = count;
    memcpy(stack->pcs, pcs, count * sizeof *pcs);
    do {
        first = AO_int_load_acquire(bucket);
        unsigned other = find(first, hash, count, generation);
        if (other)
            return other;
        stack->next = first;
    } while (!AO_int_compare_and_swap_full(bucket, first, place));
    AO_int_store_release(&((volatile unsigned *)directory.start)[number], place);
    return number;
}

unsigned depot_count(void) {
    unsigned count = AO_int_load(&numbers), most = directory.reserved / sizeof(unsigned);
    return count < most ? count : most;
}

const struct stack *depot_stack(unsigned number) {
    if (number == 0 || number >= depot_count())
        return NULL;
    unsigned place = AO_int_load_acquire(&((volatile unsigned *)directory.start)[number]);
    return place ? stack_at(place) : NULL;
}
