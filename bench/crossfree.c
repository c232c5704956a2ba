/*
 * Producers and consumers: in each pair one thread allocates batches of blocks and passes them over
 * a bounded queue to another thread, which frees them. No block is freed where it was allocated.
 *
 * Every block is checked before it is freed, and each consumer must have received as many bytes as
 * its producer sent.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"
#include "random.h"
#include "tagged_block.h"

static size_t pair_count = 1;
static size_t batch_count = 15000;
static size_t batch_size = 1000;
static size_t smallest = 8;
static size_t largest = 500;

struct batch {
    size_t count;
    struct tagged_block blocks[];
};

/* Deep enough that a short stall of one side does not stop the other. */
#define QUEUE_DEPTH 16

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty;
    pthread_cond_t not_full;
    struct batch *batches[QUEUE_DEPTH];
    size_t first;
    size_t held;
};

struct pair {
    struct queue queue;
    size_t seed;
    pthread_t producer;
    pthread_t consumer;
    size_t bytes_sent;
    size_t bytes_received;
};

static void enqueue(struct queue *queue, struct batch *batch) {
    pthread_mutex_lock(&queue->lock);
    while (queue->held == QUEUE_DEPTH)
        pthread_cond_wait(&queue->not_full, &queue->lock);
    queue->batches[(queue->first + queue->held) % QUEUE_DEPTH] = batch;
    queue->held++;
    pthread_cond_signal(&queue->not_empty);
    pthread_mutex_unlock(&queue->lock);
}

static struct batch *dequeue(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    while (queue->held == 0)
        pthread_cond_wait(&queue->not_empty, &queue->lock);
    struct batch *batch = queue->batches[queue->first];
    queue->first = (queue->first + 1) % QUEUE_DEPTH;
    queue->held--;
    pthread_cond_signal(&queue->not_full);
    pthread_mutex_unlock(&queue->lock);
    return batch;
}

static struct batch *fill_batch(struct random_source *source, size_t *bytes) {
    struct batch *batch = malloc(sizeof(*batch) + batch_size * sizeof(batch->blocks[0]));
    CHECK(batch, "malloc returns memory");
    batch->count = batch_size;
    for (size_t i = 0; i < batch_size; i++) {
        size_t size = random_between(source, smallest, largest);
        batch->blocks[i] = tagged_block_allocate(size);
        *bytes += size;
    }
    return batch;
}

static size_t free_batch(struct batch *batch) {
    size_t bytes = 0;
    for (size_t i = 0; i < batch->count; i++) {
        bytes += batch->blocks[i].size;
        tagged_block_free(batch->blocks[i]);
    }
    free(batch);
    return bytes;
}

/* Producer and consumer count for themselves, because what a pair holds shares cache lines. */
static void *produce(void *argument) {
    struct pair *pair = argument;
    struct random_source source = {pair->seed};
    size_t bytes = 0;
    for (size_t i = 0; i < batch_count; i++)
        enqueue(&pair->queue, fill_batch(&source, &bytes));
    pair->bytes_sent = bytes;
    return NULL;
}

static void *consume(void *argument) {
    struct pair *pair = argument;
    size_t bytes = 0;
    for (size_t i = 0; i < batch_count; i++)
        bytes += free_batch(dequeue(&pair->queue));
    pair->bytes_received = bytes;
    return NULL;
}

static void start(struct pair *pair, size_t seed) {
    pair->seed = seed;
    pthread_mutex_init(&pair->queue.lock, NULL);
    pthread_cond_init(&pair->queue.not_empty, NULL);
    pthread_cond_init(&pair->queue.not_full, NULL);
    CHECK(pthread_create(&pair->producer, NULL, produce, pair) == 0, "a producer starts");
    CHECK(pthread_create(&pair->consumer, NULL, consume, pair) == 0, "a consumer starts");
}

static void finish(struct pair *pair) {
    CHECK(pthread_join(pair->producer, NULL) == 0, "a producer ends");
    CHECK(pthread_join(pair->consumer, NULL) == 0, "a consumer ends");
    CHECK(pair->bytes_sent == pair->bytes_received, "every byte sent is received");
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"pairs", "pairs of a producer and a consumer", &pair_count, 1, NULL},
        {"batches", "batches that each producer sends", &batch_count, 1, NULL},
        {"batch-size", "blocks in a batch", &batch_size, 1, NULL},
        {"smallest", "bytes of the smallest block", &smallest, TAGGED_BLOCK_LEAST, NULL},
        {"largest", "bytes of the largest block", &largest, TAGGED_BLOCK_LEAST, NULL},
    };
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));
    CHECK(smallest <= largest, "the smallest size is not above the largest");

    struct pair *pairs = calloc(pair_count, sizeof(*pairs));
    CHECK(pairs, "calloc returns memory");
    double begin = seconds_now();
    for (size_t i = 0; i < pair_count; i++)
        start(&pairs[i], i);
    for (size_t i = 0; i < pair_count; i++)
        finish(&pairs[i]);
    double seconds = seconds_now() - begin;
    free(pairs);

    double blocks = (double)pair_count * (double)batch_count * (double)batch_size;
    printf("crossfree: %.2f million blocks/s (%zu pairs, %.2f s)\n", blocks / seconds * 1e-6,
           pair_count, seconds);
    return 0;
}
