/*
 * Threads that allocate objects of random sizes by GC_malloc as fast as they can, and keep only the
 * last few of each in a table of their own: what an allocation costs, clearing and collecting
 * included.
 *
 * Every object has to come cleared, and is checked when its place in the table is taken.
 */
#define GC_THREADS
#include <gc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"
#include "random.h"

enum { THREADS_MOST = 64, KEPT = 1024, LEAST_BYTES = 16 };

static size_t threads = 2;
static size_t objects = 30000000;
static size_t least = LEAST_BYTES;
static size_t most = 256;

/* Both ends of an object tell where it belongs. */
static uint64_t *last_word(uint64_t *object, size_t bytes) { return object + bytes / 8 - 1; }

struct place {
    uint64_t *object;
    size_t bytes;
};

static void check_object(struct place *place, uint64_t tag) {
    if (place->object)
        CHECK(*place->object == tag && *last_word(place->object, place->bytes) == tag,
              "an object keeps what was written to it");
}

static void fill(struct place *place, size_t bytes, uint64_t tag) {
    uint64_t *object = GC_malloc(bytes);
    CHECK(object, "GC_malloc returns memory");
    CHECK(*object == 0 && *last_word(object, bytes) == 0, "and it is clear");
    *object = *last_word(object, bytes) = tag;
    *place = (struct place){object, bytes};
}

static void *work(void *number) {
    struct random_source source = {(uint64_t)number};
    struct place *table = GC_malloc(KEPT * sizeof *table);
    CHECK(table, "GC_malloc returns memory");
    for (size_t i = 0; i < objects / threads; i++) {
        size_t index = i % KEPT;
        uint64_t tag = (uint64_t)number << 32 | index;
        check_object(&table[index], tag);
        fill(&table[index], random_between(&source, least, most), tag);
    }
    return NULL;
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"threads", "that allocate", &threads, 1, NULL},
        {"objects", "allocated by all of them together", &objects, 1, NULL},
        {"least", "bytes of an object", &least, LEAST_BYTES, NULL},
        {"most", "bytes of an object", &most, LEAST_BYTES, NULL},
    };
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));
    CHECK(threads <= THREADS_MOST, "there is room for the threads");
    CHECK(least <= most, "there are sizes to choose from");
    GC_INIT();

    pthread_t others[THREADS_MOST];
    double start = seconds_now();
    for (size_t i = 1; i < threads; i++)
        CHECK(pthread_create(&others[i], NULL, work, (void *)i) == 0, "a thread starts");
    work(NULL);
    for (size_t i = 1; i < threads; i++)
        CHECK(pthread_join(others[i], NULL) == 0, "a thread ends");
    double seconds = seconds_now() - start;
    printf("allocation: %.2f million objects/s (%.2f s, %lu collections)\n",
           (double)objects / seconds * 1e-6, seconds, (unsigned long)GC_get_gc_no());
    return 0;
}
