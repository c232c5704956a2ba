/* Fuzzing of malloc's family, served by the library: what the fuzzer makes is a sequence of calls,
 * made by three threads in turn, which is compared with a model of what malloc promises. Blocks are
 * held by tables of pointers, in data, in a map, and by their inside alone; others are lost.
 *
 * Run with libtithe.so preloaded; the options come from TITHE_OPTIONS.
 */
#include "tithe.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SLOTS = 48, THREADS = 3, MOST_LIVE = 48 << 20, LARGEST = 3 << 20 };

/* Whoever calls them is the program; the compiler shall not know better. */
static void *(*volatile call_malloc)(size_t) = malloc;
static void *(*volatile call_calloc)(size_t, size_t) = calloc;
static void *(*volatile call_realloc)(void *, size_t) = realloc;
static void *(*volatile call_reallocarray)(void *, size_t, size_t) = reallocarray;

struct slot {
    char *block;   /* its start, or its inside */
    size_t inside; /* how far in that is */
    size_t bytes, alignment;
    uint32_t pattern;
};

static struct slot in_data[SLOTS / 2], *in_map;
static size_t live;
static uint32_t patterns;

struct input {
    const uint8_t *data;
    size_t bytes;
};

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static unsigned take(struct input *input) {
    if (input->bytes == 0)
        return 0;
    input->bytes--;
    return *input->data++;
}

/* Small ones mostly; around the ends of classes, pages and spans; large; more than there is. */
static size_t take_bytes(struct input *input) {
    size_t kind = take(input), value = take(input);
    switch (kind % 8) {
    case 0:
        return value;
    case 1:
    case 2:
        return value * 16 + kind / 8;
    case 3:
        return ((size_t)8 << value % 17) + kind / 8 - 8;
    case 4:
        return 4096 * (value % 40 + 1) + kind / 8 - 16;
    case 5:
        return value % 4 ? value : SIZE_MAX - kind * 4096 - value;
    case 6:
        return value * (LARGEST / 256) + kind;
    default:
        return value * 8 + 1;
    }
}

static struct slot *take_slot(struct input *input) {
    unsigned number = take(input) % SLOTS;
    return number % 2 ? &in_data[number / 2] : &in_map[number / 2];
}

static char *start_of(const struct slot *slot) { return slot->block - slot->inside; }

static char byte_at(const struct slot *slot, size_t at) { return (char)(slot->pattern + at * 11); }

static void verify(const struct slot *slot) {
    if (slot->block == NULL)
        return;
    const char *block = start_of(slot);
    size_t step = slot->bytes > 4096 ? 97 : 1;
    for (size_t at = 0; at < slot->bytes; at += step)
        REQUIRE(block[at] == byte_at(slot, at));
    for (size_t at = slot->bytes > 64 ? slot->bytes - 64 : 0; at < slot->bytes; at++)
        REQUIRE(block[at] == byte_at(slot, at));
    REQUIRE((uintptr_t)block % slot->alignment == 0);
}

static void fill(struct slot *slot) {
    char *block = start_of(slot);
    for (size_t at = 0; at < slot->bytes; at++)
        block[at] = byte_at(slot, at);
}

static void require_apart(const struct slot *slot, const struct slot *other) {
    if (other == slot || other->block == NULL)
        return;
    const char *one = start_of(slot), *two = start_of(other);
    REQUIRE(one + slot->bytes <= two || two + other->bytes <= one);
    REQUIRE(one != two);
}

/* What was just served. All that may be used is used. */
static void enter(struct slot *slot, void *block, size_t bytes, size_t alignment) {
    size_t usable = malloc_usable_size(block);
    REQUIRE(usable >= bytes);
    REQUIRE(usable <=
            2 * bytes + 4096 + alignment); /* realloc may leave much of a block that shrinks */
    *slot = (struct slot){block, 0, usable, alignment, ++patterns * 17};
    REQUIRE((uintptr_t)block % alignment == 0);
    for (unsigned i = 0; i < SLOTS / 2; i++) {
        require_apart(slot, &in_data[i]);
        require_apart(slot, &in_map[i]);
    }
    live += usable;
    fill(slot);
}

static void drop(struct slot *slot) {
    live -= slot->bytes;
    *slot = (struct slot){.block = NULL};
}

static void make(struct slot *slot, void *block, size_t bytes, size_t alignment) {
    if (block == NULL) {
        REQUIRE(errno == ENOMEM);
        REQUIRE(bytes > LARGEST);
        return;
    }
    enter(slot, block, bytes, alignment);
}

static void lose_or_free(struct slot *slot, bool frees) {
    verify(slot);
    char *block = slot->block ? start_of(slot) : NULL;
    drop(slot);
    errno = 77;
    if (frees)
        free(block);
    REQUIRE(errno == 77);
}

static void do_malloc(struct input *input, struct slot *slot) {
    size_t bytes = take_bytes(input);
    lose_or_free(slot, take(input) % 4);
    make(slot, call_malloc(bytes), bytes, 16);
}

static void do_calloc(struct input *input, struct slot *slot) {
    size_t bytes = take_bytes(input), count = take(input) % 5 + 1;
    lose_or_free(slot, take(input) % 4);
    if (bytes < SIZE_MAX / 2 && bytes > LARGEST / count)
        count = 1;
    char *block = call_calloc(count, bytes);
    for (size_t at = 0; block && at < count * bytes; at++)
        REQUIRE(block[at] == 0);
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        total = SIZE_MAX;
    make(slot, block, total, 16);
}

static void do_realloc(struct input *input, struct slot *slot) {
    size_t bytes = take_bytes(input);
    verify(slot);
    char *old = slot->block ? start_of(slot) : NULL;
    struct slot before = *slot;
    char *block = take(input) % 2 ? call_realloc(old, bytes) : call_reallocarray(old, 1, bytes);
    if (old && bytes == 0) {
        REQUIRE(block == NULL);
        drop(slot);
        return;
    }
    if (block == NULL) {
        REQUIRE(errno == ENOMEM && bytes > LARGEST);
        verify(slot);
        return;
    }
    for (size_t at = 0; at < bytes && at < before.bytes; at++)
        REQUIRE(block[at] == byte_at(&before, at));
    drop(slot);
    enter(slot, block, bytes, 16);
}

static void do_aligned(struct input *input, struct slot *slot) {
    size_t alignment = (size_t)16 << take(input) % 12, bytes = take_bytes(input);
    void *block = NULL;
    lose_or_free(slot, take(input) % 4);
    if (bytes > LARGEST && bytes < SIZE_MAX / 2)
        bytes = 100;
    switch (take(input) % 5) {
    case 0:
        block = memalign(alignment, bytes);
        break;
    case 1:
        block = aligned_alloc(alignment, bytes);
        break;
    case 2:
        errno = posix_memalign(&block, alignment, bytes);
        break;
    case 3:
        block = valloc(bytes);
        alignment = 4096;
        break;
    default:
        block = pvalloc(bytes);
        alignment = 4096;
    }
    make(slot, block, bytes, alignment);
}

/* From now on only a pointer to its inside is there. */
static void do_hide(struct input *input, struct slot *slot) {
    size_t inside = take(input) * (size_t)16;
    if (slot->block && inside < slot->bytes) {
        slot->block = start_of(slot) + inside;
        slot->inside = inside;
    }
}

static void do_rest(struct input *input) {
    switch (take(input) % 6) {
    case 0:
        if (tithe_collect)
            tithe_collect();
        break;
    case 1:
        malloc_trim(0);
        break;
    case 2:
        REQUIRE(mallinfo2().uordblks < SIZE_MAX / 2);
        break;
    case 3:
        for (int i = 0; i < 400; i++) /* nobody has these */
            memset(call_malloc(48 + i % 300), 0xa5, 48);
        break;
    default:
        for (unsigned i = 0; i < SLOTS / 2; i++) {
            verify(&in_data[i]);
            verify(&in_map[i]);
        }
    }
}

static void step(struct input *input) {
    unsigned kind = take(input);
    struct slot *slot = take_slot(input);
    static void (*const calls[])(struct input *, struct slot *) = {do_malloc, do_calloc, do_realloc,
                                                                   do_aligned, do_hide};
    if (live > MOST_LIVE)
        lose_or_free(slot, true);
    else if (kind % 8 < 5)
        calls[kind % 8](input, slot);
    else if (kind % 8 == 5)
        do_rest(input);
    else
        lose_or_free(slot, kind % 16 != 6);
}

static struct input current;
static sem_t begins[THREADS], done;
static unsigned turn;

/* Each thread has a turn of some steps: its cache and the others' meet. */
static void *run(void *number) {
    for (;;) {
        while (sem_wait(&begins[(uintptr_t)number]) != 0)
            ;
        for (int i = 0; i < 12 && current.bytes > 0; i++)
            step(&current);
        sem_post(&done);
    }
    return NULL;
}

static void start(void) {
    in_map = mmap(NULL, SLOTS / 2 * sizeof *in_map, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(in_map != MAP_FAILED);
    sem_init(&done, 0, 0);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        sem_init(&begins[i], 0, 0);
        REQUIRE(pthread_create(&thread, NULL, run, (void *)i) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    if (in_map == NULL)
        start();
    current = (struct input){data, bytes};
    while (current.bytes > 0) {
        sem_post(&begins[turn++ % THREADS]);
        while (sem_wait(&done) != 0)
            ;
    }
    for (unsigned i = 0; i < SLOTS / 2; i++) {
        lose_or_free(&in_data[i], true);
        lose_or_free(&in_map[i], true);
    }
    REQUIRE(live == 0);
    return 0;
}
