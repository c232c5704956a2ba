/* Storm: five thousand small maps, each with the only pointer to a block, and a guard behind it.
 * While marks go on, maps are moved, swapped, mapped anew at the same place, closed, made code and
 * dropped, and pointers wander from them to maps that came after the mark began: plain ones, ones
 * of a file, ones that show what only the page cache has, and stacks that a thread has left its own
 * for.
 */
#include "storm.h"

#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
    SLOTS = 5000,
    PAGE_BYTES = 4096,
    PLAIN = PROT_READ | PROT_WRITE,
    HOLE_AT = 2 * PAGE_BYTES,
    HOLE_BYTES = 64 << 10,
    STRIDE = HOLE_AT + HOLE_BYTES + PAGE_BYTES,
    THREADS = 2
};

static char *slots;

static struct checked *volatile *slot_at(size_t i) {
    return (struct checked *volatile *)(slots + i * STRIDE);
}

static char *hole_at(size_t i) { return slots + i * STRIDE + HOLE_AT; }

static void *map_at(void *at, size_t bytes, int kind, int file) {
    void *map = mmap(at, bytes, PLAIN, kind | MAP_FIXED, file, 0);
    STORM_CHECK(map == at);
    return map;
}

static void *map_page(void *at) { return map_at(at, PAGE_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1); }

static void make_garbage(uint64_t *random, int count) {
    for (int i = 0; i < count; i++)
        checked_make(storm_random(random) % 1000, NULL);
}

/* Takes the pointer out of a place, which then is the place of none. */
static __attribute__((noinline)) void move(struct checked *volatile *to,
                                           struct checked *volatile *from) {
    struct checked *block = *from;
    *from = NULL;
    *to = block;
}

static void map_anew(size_t i) {
    struct checked *block = *slot_at(i);
    STORM_CHECK(munmap((void *)slot_at(i), PAGE_BYTES) == 0);
    map_page((void *)slot_at(i));
    *slot_at(i) = block;
}

static void move_map(void *from, void *to) {
    STORM_CHECK(mremap(from, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

static void swap_maps(size_t i, size_t j) {
    move_map((void *)slot_at(i), hole_at(i));
    move_map((void *)slot_at(j), (void *)slot_at(i));
    move_map(hole_at(i), (void *)slot_at(j));
}

static void protect_meanwhile(size_t i, int protection, uint64_t *random) {
    STORM_CHECK(mprotect((void *)slot_at(i), PAGE_BYTES, protection) == 0);
    make_garbage(random, 300);
    STORM_CHECK(mprotect((void *)slot_at(i), PAGE_BYTES, PLAIN) == 0);
}

static void keep_in_new_map(size_t i, uint64_t *random) {
    struct checked *volatile *kept = map_page(hole_at(i));
    move(&kept[storm_random(random) % 500], slot_at(i));
    make_garbage(random, 300);
    for (size_t at = 0; at < 500; at++)
        if (kept[at])
            move(slot_at(i), &kept[at]);
    munmap((void *)kept, PAGE_BYTES);
}

/* Written by another map, which goes before this one comes. */
static void keep_in_file(size_t i, int kind, uint64_t *random) {
    int file = memfd_create("slots", MFD_CLOEXEC);
    STORM_CHECK(file >= 0 && ftruncate(file, PAGE_BYTES) == 0);
    struct checked *volatile *written = map_at(hole_at(i), PAGE_BYTES, MAP_SHARED, file);
    move(&written[7], slot_at(i));
    char *other = hole_at(i) + 2 * PAGE_BYTES;
    struct checked *volatile *kept = map_at(other, PAGE_BYTES, kind, file);
    munmap((void *)written, PAGE_BYTES);
    make_garbage(random, 300);
    *slot_at(i) = kept[7];
    munmap((void *)kept, PAGE_BYTES);
    close(file);
}

static __thread ucontext_t own, fibre;
static __thread size_t fibres_slot;
static __thread uint64_t *fibres_random;

static void live_on_fibre(void) {
    struct checked *volatile block = NULL;
    move(&block, slot_at(fibres_slot));
    make_garbage(fibres_random, 300);
    checked_verify(block);
    move(slot_at(fibres_slot), &block);
}

static void keep_on_stack(size_t i, uint64_t *random) {
    char *stack = map_at(hole_at(i), HOLE_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    fibres_slot = i;
    fibres_random = random;
    getcontext(&fibre);
    fibre.uc_stack.ss_sp = stack;
    fibre.uc_stack.ss_size = HOLE_BYTES;
    fibre.uc_link = &own;
    makecontext(&fibre, live_on_fibre, 0);
    swapcontext(&own, &fibre);
    munmap(stack, HOLE_BYTES);
}

static void drop_and_write(size_t i) {
    struct checked *block = *slot_at(i);
    madvise((void *)slot_at(i), PAGE_BYTES, MADV_DONTNEED);
    STORM_CHECK(*slot_at(i) == NULL);
    *slot_at(i) = block;
}

static void swap_blocks(size_t i, size_t j) {
    struct checked *block = *slot_at(i);
    *slot_at(i) = *slot_at(j);
    *slot_at(j) = block;
}

static void change(size_t i, size_t j, uint64_t *random) {
    switch (storm_random(random) % 11) {
    case 0:
        *slot_at(i) = checked_make(storm_random(random) % 200, NULL);
        break;
    case 1:
        map_anew(i);
        break;
    case 2:
        if (i != j)
            swap_maps(i, j);
        break;
    case 3:
        protect_meanwhile(i, PROT_NONE, random);
        break;
    case 4:
        protect_meanwhile(i, PROT_READ | PROT_EXEC, random);
        break;
    case 5:
        keep_in_new_map(i, random);
        break;
    case 6:
        keep_in_file(i, MAP_SHARED, random);
        break;
    case 7:
        drop_and_write(i);
        break;
    case 8:
        keep_on_stack(i, random);
        break;
    case 9:
        swap_blocks(i, j);
        break;
    }
    make_garbage(random, 10);
    checked_verify(*slot_at(i));
    checked_verify(*slot_at(j));
}

/* Each has every second slot for itself. */
static void *change_always(void *context) {
    size_t number = (uintptr_t)context;
    uint64_t random = storm_stream(number);
    while (storm_goes_on()) {
        size_t i = storm_random(&random) % (SLOTS / THREADS) * THREADS + number;
        size_t j = storm_random(&random) % (SLOTS / THREADS) * THREADS + number;
        change(i, j, &random);
    }
    return NULL;
}

static void make_slots(void) {
    uint64_t random = storm_stream(THREADS);
    slots = mmap(NULL, (size_t)SLOTS * STRIDE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    STORM_CHECK(slots != MAP_FAILED && munmap(slots, (size_t)SLOTS * STRIDE) == 0);
    for (size_t i = 0; i < SLOTS; i++) {
        map_at((void *)slot_at(i), HOLE_AT, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        STORM_CHECK(mprotect((char *)slot_at(i) + PAGE_BYTES, PAGE_BYTES, PROT_NONE) == 0);
        *slot_at(i) = checked_make(storm_random(&random) % 200, NULL);
    }
}

int main(int count, char **arguments) {
    pthread_t threads[THREADS];
    storm_start(count, arguments);
    make_slots();
    for (uintptr_t i = 0; i < THREADS; i++)
        STORM_CHECK(pthread_create(&threads[i], NULL, change_always, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < SLOTS; i++)
        checked_verify(*slot_at(i));
    return 0;
}
