/* Mutators that allocate, free, lose, resize and hand over objects from many threads, each object
 * checking itself, while collections come as often as gc_every says.
 *
 * Arguments: seconds, threads, seed (0: from the clock). The seed is printed; the work of each
 * thread depends on it alone. Any damaged, doubly handed out or wrongly zeroed object ends the run
 * with 1. Run under tithe; without it the same checks hold for any malloc.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 600, SHARED_SLOTS = 256, ROUND = 20000, SHORT_LIVED_EVERY = 8 };

/* The address is part of the check, so an object handed out twice or moved is found. */
struct object {
    struct object *next;
    uint64_t check;
    uint32_t above; /* all ones: the random bytes before it are no address, with whatever follows */
    uint32_t bytes;
    uint32_t pattern;
    unsigned char contents[];
};

struct mutator {
    pthread_t thread;
    uint64_t random;
    struct object *list; /* reachable through one pointer only */
    struct object *slots[SLOTS];
};

static struct object *shared[SHARED_SLOTS];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static volatile bool stop;
static uint64_t seed;
static __thread struct object *thread_local_slots[16];

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fail(const struct object *object, const char *what) {
    fprintf(stderr, "stress: object %p: %s (seed %llu)\n", (const void *)object, what,
            (unsigned long long)seed);
    abort();
}

/* Objects are full of random words, some thousand of which would lead to others by chance, and keep
 * garbage: in a trial dead blocks came back so. A byte of 0x80 and more is in no address of the
 * heap's where these words would have to have one of its upper bytes. */
static const uint64_t highest_bits = ~(uint64_t)0 / 255 * 128;

static uint64_t check_of(const struct object *object) {
    return ((uint64_t)(uintptr_t)object ^ (uint64_t)object->bytes << 40 ^ object->pattern) *
               0x9e3779b97f4a7c15u |
           highest_bits;
}

static size_t random_bytes(uint64_t *random) {
    uint64_t kind = random_next(random) % 1000;
    if (kind < 900)
        return sizeof(struct object) + random_next(random) % 300;
    if (kind < 995)
        return sizeof(struct object) + random_next(random) % 8000;
    return sizeof(struct object) + random_next(random) % 300000;
}

/* Only the ends of large objects are written and checked, to keep the test about the collector. */
static void each_checked_byte(struct object *object, bool write) {
    size_t count = object->bytes - sizeof *object, edge = 64;
    for (size_t i = 0; i < count; i++) {
        if (i == edge && count > 2 * edge)
            i = count - edge;
        unsigned char expected = (unsigned char)(object->pattern + i);
        if (write)
            object->contents[i] = expected;
        else if (object->contents[i] != expected)
            fail(object, "contents damaged");
    }
}

static void object_seal(struct object *object, size_t bytes, uint64_t *random) {
    object->above = UINT32_MAX;
    object->bytes = bytes;
    object->pattern = random_next(random);
    object->check = check_of(object);
    each_checked_byte(object, true);
}

static void object_check(struct object *object) {
    if (object->check != check_of(object))
        fail(object, "header damaged");
    if (malloc_usable_size(object) < object->bytes)
        fail(object, "not allocated");
    each_checked_byte(object, false);
}

static void check_zero(const struct object *object, size_t bytes) {
    const unsigned char *byte = (const unsigned char *)object;
    for (size_t i = 0; i < bytes; i++)
        if (byte[i] != 0)
            fail(object, "calloc gave memory that is not zero");
}

static struct object *object_make(uint64_t *random) {
    size_t bytes = random_bytes(random);
    struct object *object;
    switch (random_next(random) % 8) {
    case 0:
        object = calloc(1, bytes);
        check_zero(object, bytes);
        break;
    case 1: {
        size_t alignment = (size_t)16 << random_next(random) % 10;
        object = memalign(alignment, bytes);
        if ((uintptr_t)object % alignment != 0)
            fail(object, "not aligned");
        break;
    }
    default:
        object = malloc(bytes);
    }
    if (object == NULL)
        fail(object, "out of memory");
    object->next = NULL;
    object_seal(object, bytes, random);
    return object;
}

static struct object *object_resize(struct object *object, uint64_t *random) {
    size_t bytes = random_bytes(random), both = bytes < object->bytes ? bytes : object->bytes;
    unsigned char first = both > sizeof *object ? object->contents[0] : 0;
    object = realloc(object, bytes);
    if (object == NULL)
        fail(object, "out of memory");
    if (both > sizeof *object && object->contents[0] != first)
        fail(object, "realloc lost the contents");
    object_seal(object, bytes, random);
    return object;
}

/* Puts an object into a place and disposes of the one there: by free, or by losing it. */
static void replace(struct object **place, struct object *object, uint64_t *random) {
    struct object *old = *place;
    *place = object;
    if (old == NULL)
        return;
    object_check(old);
    if (random_next(random) % 2)
        free(old);
}

static void push_list(struct mutator *mutator) {
    struct object *object = object_make(&mutator->random);
    object->next = mutator->list;
    mutator->list = object;
}

static void check_list(struct mutator *mutator) {
    for (struct object *object = mutator->list; object; object = object->next)
        object_check(object);
    if (random_next(&mutator->random) % 2)
        mutator->list = NULL;
}

static void swap_with_shared(struct mutator *mutator, struct object **place) {
    struct object **other = &shared[random_next(&mutator->random) % SHARED_SLOTS];
    pthread_mutex_lock(&shared_lock);
    struct object *object = *other;
    *other = *place;
    *place = object;
    pthread_mutex_unlock(&shared_lock);
    if (object)
        object_check(object);
}

static void step(struct mutator *mutator) {
    uint64_t *random = &mutator->random;
    struct object **place = &mutator->slots[random_next(random) % SLOTS];
    switch (random_next(random) % 16) {
    case 0:
        swap_with_shared(mutator, place);
        break;
    case 1:
        push_list(mutator);
        break;
    case 2:
        if (*place) {
            object_check(*place);
            *place = object_resize(*place, random);
        }
        break;
    case 3:
        replace(&thread_local_slots[random_next(random) % 16], object_make(random), random);
        break;
    default:
        replace(place, object_make(random), random);
    }
}

static void check_all(struct mutator *mutator) {
    for (unsigned i = 0; i < SLOTS; i++)
        if (mutator->slots[i])
            object_check(mutator->slots[i]);
    check_list(mutator);
}

static void *short_lived(void *argument) {
    uint64_t random = (uintptr_t)argument | 1;
    struct object *own[32] = {NULL};
    for (unsigned i = 0; i < 2000; i++)
        replace(&own[random_next(&random) % 32], object_make(&random), &random);
    for (unsigned i = 0; i < 32; i++)
        if (own[i])
            object_check(own[i]);
    return own[0];
}

/* A thread that ends at once; what it returns is checked by the one that joins it. */
static void run_short_lived(struct mutator *mutator) {
    pthread_t thread;
    void *result;
    uintptr_t random = random_next(&mutator->random);
    if (pthread_create(&thread, NULL, short_lived, (void *)random) != 0)
        return;
    pthread_join(thread, &result);
    if (result)
        object_check(result);
}

static void *mutate(void *argument) {
    struct mutator *mutator = argument;
    for (unsigned round = 0; !stop; round++) {
        for (unsigned i = 0; i < ROUND && !stop; i++)
            step(mutator);
        check_all(mutator);
        if (round % SHORT_LIVED_EVERY == 0)
            run_short_lived(mutator);
    }
    return NULL;
}

/* A mutator's own state is in a map, so that only maps lead to its objects. */
static struct mutator *mutator_start(unsigned index) {
    struct mutator *mutator =
        mmap(NULL, sizeof *mutator, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mutator->random = (seed + index) * 0x9e3779b97f4a7c15u | 1;
    if (pthread_create(&mutator->thread, NULL, mutate, mutator) != 0) {
        perror("stress: pthread_create");
        exit(1);
    }
    return mutator;
}

int main(int count, char **arguments) {
    unsigned seconds = count > 1 ? atoi(arguments[1]) : 10;
    unsigned threads = count > 2 ? atoi(arguments[2]) : 4;
    struct mutator *mutators[64];
    seed = count > 3 ? strtoull(arguments[3], NULL, 0) : 0;
    if (seed == 0)
        seed = (uint64_t)time(NULL) << 20 ^ getpid();
    if (threads > 64)
        threads = 64;
    printf("stress: %u seconds, %u threads, seed %llu\n", seconds, threads,
           (unsigned long long)seed);
    fflush(stdout);
    for (unsigned i = 0; i < threads; i++)
        mutators[i] = mutator_start(i);
    sleep(seconds);
    stop = true;
    for (unsigned i = 0; i < threads; i++)
        pthread_join(mutators[i]->thread, NULL);
    for (unsigned i = 0; i < SHARED_SLOTS; i++)
        if (shared[i])
            object_check(shared[i]);
    puts("stress: all objects intact");
    return 0;
}
