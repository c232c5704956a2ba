/*
 * Threads that allocate as fast as they can into a live set of constant size, and free nothing:
 * whatever a fresh block replaces is garbage. Whether the collector keeps the heap below its goal
 * then is told by its own statistics and by the peak of the memory used.
 *
 * Every block that is still live at the end is checked. Nothing is checked or even looked at before
 * that, because it would slow the allocation down.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"
#include "random.h"
#include "tagged_block.h"

enum { MOST_THREADS = 64, BLOCKS_BETWEEN_CLOCK_READINGS = 1000 };

static size_t live_mib = 256;
static size_t thread_count = 8;
static size_t seconds = 10;
static size_t smallest = 16;
static size_t largest = 512;
static size_t large_bytes = 65536;
static size_t large_every = 256;

struct worker {
    pthread_t thread;
    struct tagged_block *blocks;
    size_t number;
    size_t allocations;
    size_t allocated_bytes;
    double ended;
} __attribute__((aligned(64)));

static struct worker workers[MOST_THREADS];
static size_t block_count; /* of each thread */
static double deadline;

static struct tagged_block allocate(struct random_source *random) {
    size_t bytes = random_below(random, large_every) == 0
                       ? large_bytes
                       : random_between(random, smallest, largest);
    return tagged_block_allocate(bytes);
}

/* The first blocks fill the empty places in order, the others go to random ones. Counts in
 * variables of its own: what a thread writes for each block should be the block. */
static void churn(struct worker *worker, struct random_source *random) {
    size_t allocations = 0, bytes = 0;
    do {
        for (size_t i = 0; i < BLOCKS_BETWEEN_CLOCK_READINGS; i++) {
            struct tagged_block block = allocate(random);
            size_t place =
                allocations < block_count ? allocations : random_below(random, block_count);
            worker->blocks[place] = block;
            allocations++;
            bytes += block.size;
        }
    } while (allocations < block_count || seconds_now() < deadline);
    worker->allocations = allocations;
    worker->allocated_bytes = bytes;
    worker->ended = seconds_now();
}

static void *work(void *argument) {
    struct worker *worker = argument;
    struct random_source random = {worker->number};
    churn(worker, &random);
    for (size_t i = 0; i < block_count; i++)
        tagged_block_check(worker->blocks[i]);
    return NULL;
}

static size_t blocks_of_each(void) {
    size_t block_bytes =
        sizeof(struct tagged_block) + (smallest + largest) / 2 + large_bytes / large_every;
    return (live_mib << 20) / block_bytes / thread_count;
}

static void start(struct worker *worker, size_t number) {
    worker->number = number;
    worker->blocks = calloc(block_count, sizeof(*worker->blocks));
    CHECK(worker->blocks, "calloc returns memory");
    CHECK(pthread_create(&worker->thread, NULL, work, worker) == 0, "a thread starts");
}

/* Each number stands after its name, so that a script need not know the order. */
static void report(double begin) {
    size_t allocations = 0, bytes = 0;
    double end = begin;
    for (size_t i = 0; i < thread_count; i++) {
        allocations += workers[i].allocations;
        bytes += workers[i].allocated_bytes;
        if (workers[i].ended > end)
            end = workers[i].ended;
    }
    double passed = end - begin;
    printf("overshoot: threads %zu live %zu MiB seconds %.2f blocks %.2f million/s bytes %.0f "
           "MiB/s\n",
           thread_count, live_mib, passed, (double)allocations / passed * 1e-6,
           (double)bytes / passed / (1 << 20));
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"live", "MiB that stay live, in all threads together", &live_mib, 1, NULL},
        {"threads", "threads, each with blocks of its own", &thread_count, 1, NULL},
        {"seconds", "how long to allocate, filling included", &seconds, 1, NULL},
        {"smallest", "bytes of the smallest block", &smallest, TAGGED_BLOCK_LEAST, NULL},
        {"largest", "bytes of the largest block but the large ones", &largest, TAGGED_BLOCK_LEAST,
         NULL},
        {"large", "bytes of a large block", &large_bytes, TAGGED_BLOCK_LEAST, NULL},
        {"large-every", "of so many blocks one is large, in the mean", &large_every, 1, NULL},
    };
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));
    CHECK(smallest <= largest, "the smallest size is not above the largest");
    CHECK(thread_count <= MOST_THREADS, "there are not too many threads");
    block_count = blocks_of_each();
    CHECK(block_count >= 1 && block_count <= UINT32_MAX, "the live set has a possible size");

    double begin = seconds_now();
    deadline = begin + (double)seconds;
    for (size_t i = 0; i < thread_count; i++)
        start(&workers[i], i);
    for (size_t i = 0; i < thread_count; i++)
        CHECK(pthread_join(workers[i].thread, NULL) == 0, "a thread ends");
    report(begin);
    return 0;
}
