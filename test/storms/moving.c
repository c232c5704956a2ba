/* Storm: the only pointer to each object moves all the time, between old objects, fresh objects,
 * arrays small and large, deep frames, registers, globals, thread-local and foreign memory, and
 * other threads, while garbage is made and some is freed by hand.
 *
 * What a marker without a write barrier could miss: a pointer is loaded from where it was not yet
 * seen, erased there, and stored where marking has already been.
 */
#include "storm.h"

#include <pthread.h>
#include <sys/mman.h>

enum { THREADS = 4, PLACES = 256, WIDE = 1 << 17, MAILBOXES = 8, MOST_BYTES = 3000 };

/* A chain of old blocks each of which carries one pointer; they soon are black in every cycle. */
struct carrier {
    struct checked *cargo;
    struct carrier *next;
    char padding[200];
};

struct mutator {
    uint64_t random;
    struct carrier *carriers[PLACES];
    struct checked **wide;   /* one large object, sparsely filled */
    struct checked **mapped; /* memory of the program's own */
    struct checked **grown;  /* reallocated now and then */
    size_t grown_room;
};

static struct checked *volatile globals[THREADS][PLACES];
static struct checked *volatile mailboxes[MAILBOXES];
static __thread struct checked *locals[PLACES];

static struct checked *fresh(struct mutator *mutator) {
    size_t bytes = storm_random(&mutator->random) % MOST_BYTES;
    if (storm_random(&mutator->random) % 64 == 0)
        bytes *= 40;
    struct checked *first = checked_make(64 + bytes % 300, NULL);
    return checked_make(bytes, first);
}

static void verify(struct checked *block) {
    checked_verify(block);
    checked_verify(block->link);
}

static struct checked **place(struct mutator *mutator, unsigned thread) {
    size_t index = storm_random(&mutator->random) % PLACES;
    switch (storm_random(&mutator->random) % 6) {
    case 0:
        return &mutator->carriers[index]->cargo;
    case 1:
        return &mutator->wide[storm_random(&mutator->random) % WIDE / 97 * 97];
    case 2:
        return &mutator->mapped[index];
    case 3:
        return (struct checked **)&globals[thread][index];
    case 4:
        return &locals[index];
    default:
        return &mutator->grown[index];
    }
}

/* The pointer is in no place but here until the frames are left. */
__attribute__((noinline)) static struct checked *dive(struct checked *block, unsigned depth,
                                                      uint64_t *random) {
    volatile char filling[200];
    filling[depth % sizeof filling] = 1;
    if (depth == 0) {
        for (int i = 0; i < 20; i++)
            free(malloc(storm_random(random) % 500));
        return block;
    }
    struct checked *same = dive(block, depth - 1, random);
    STORM_CHECK(filling[depth % sizeof filling] == 1);
    return same;
}

/* Moves a pointer from one place to another, over a register, a frame or a copy by the kernel. */
static void move(struct mutator *mutator, unsigned thread) {
    struct checked **from = place(mutator, thread), **to = place(mutator, thread);
    struct checked *block = *from, *other;
    *from = NULL;
    if (block == NULL)
        block = fresh(mutator);
    if (storm_random(&mutator->random) % 8 == 0)
        block = dive(block, storm_random(&mutator->random) % 100, &mutator->random);
    verify(block);
    other = *to;
    *to = block;
    if (other == NULL || storm_random(&mutator->random) % 2)
        return;
    verify(other);
    if (storm_random(&mutator->random) % 3)
        return;
    checked_free(other->link);
    checked_free(other);
}

static void exchange_by_mail(struct mutator *mutator) {
    struct checked *volatile *box = &mailboxes[storm_random(&mutator->random) % MAILBOXES];
    struct checked *got = __atomic_exchange_n(box, fresh(mutator), __ATOMIC_ACQ_REL);
    if (got == NULL)
        return;
    verify(got);
    mutator->carriers[storm_random(&mutator->random) % PLACES]->cargo = got;
}

/* The array that holds the only pointers moves as a whole, by realloc or through a pipe. */
static void move_array(struct mutator *mutator, int pipe_ends[2]) {
    if (storm_random(&mutator->random) % 2) {
        mutator->grown_room = PLACES + storm_random(&mutator->random) % 20000;
        mutator->grown = realloc(mutator->grown, mutator->grown_room * sizeof *mutator->grown);
        return;
    }
    size_t bytes = PLACES * sizeof *mutator->grown;
    struct checked **copy = calloc(PLACES, sizeof *copy);
    STORM_CHECK(write(pipe_ends[1], mutator->grown, bytes) == (ssize_t)bytes);
    STORM_CHECK(read(pipe_ends[0], copy, bytes) == (ssize_t)bytes);
    memset(mutator->grown, 0, bytes);
    mutator->grown = realloc(copy, mutator->grown_room * sizeof *copy);
}

static void prepare(struct mutator *mutator, unsigned thread) {
    mutator->random = storm_stream(thread);
    for (int i = 0; i < PLACES; i++) {
        mutator->carriers[i] = calloc(1, sizeof(struct carrier));
        mutator->carriers[i]->next = i ? mutator->carriers[i - 1] : NULL;
    }
    mutator->wide = calloc(WIDE, sizeof *mutator->wide);
    mutator->mapped = mmap(NULL, PLACES * sizeof *mutator->mapped, PROT_READ | PROT_WRITE,
                           (thread % 2 ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
    mutator->grown_room = PLACES;
    mutator->grown = calloc(PLACES, sizeof *mutator->grown);
}

static void verify_all(struct mutator *mutator, unsigned thread) {
    for (int i = 0; i < PLACES; i++) {
        struct checked *all[] = {mutator->carriers[i]->cargo, mutator->mapped[i],
                                 globals[thread][i], locals[i], mutator->grown[i]};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            if (all[j])
                verify(all[j]);
    }
    for (int i = 0; i < WIDE; i += 97)
        if (mutator->wide[i])
            verify(mutator->wide[i]);
}

static void *mutate(void *context) {
    unsigned thread = (unsigned)(uintptr_t)context;
    struct mutator mutator;
    int pipe_ends[2];
    STORM_CHECK(pipe(pipe_ends) == 0);
    prepare(&mutator, thread);
    while (storm_goes_on()) {
        for (int i = 0; i < 300; i++)
            move(&mutator, thread);
        exchange_by_mail(&mutator);
        for (int i = 0; i < 100; i++)
            checked_make(storm_random(&mutator.random) % 800, NULL);
        if (storm_random(&mutator.random) % 8 == 0)
            move_array(&mutator, pipe_ends);
        if (storm_random(&mutator.random) % 64 == 0)
            verify_all(&mutator, thread);
    }
    verify_all(&mutator, thread);
    return NULL;
}

int main(int count, char **arguments) {
    pthread_t threads[THREADS];
    storm_start(count, arguments);
    for (uintptr_t i = 0; i < THREADS; i++)
        STORM_CHECK(pthread_create(&threads[i], NULL, mutate, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
