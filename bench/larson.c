/*
 * A server under load: every thread owns an array of live blocks of random sizes and replaces
 * random ones; after each round it hands the array to a new thread and ends, so that most blocks
 * are freed by another thread than the one that allocated them.
 *
 * Every block is checked before it is freed. The order of sizes is the same on every run.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"
#include "random.h"
#include "tagged_block.h"

static size_t thread_count = 2;
static size_t block_count = 5000;
static size_t round_count = 600;
static size_t operation_count = 50000;
static size_t smallest = 8;
static size_t largest = 1000;

/* What a thread hands to its successor. */
struct succession {
    struct tagged_block *blocks;
    struct random_source random;
    size_t rounds_left;
};

static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t running_changed = PTHREAD_COND_INITIALIZER;
static size_t running;

static struct tagged_block allocate_random(struct random_source *source) {
    return tagged_block_allocate(random_between(source, smallest, largest));
}

/* Draws from a copy, because the successions of two threads may share a cache line. */
static void replace_blocks(struct succession *succession) {
    struct random_source source = succession->random;
    for (size_t i = 0; i < operation_count; i++) {
        size_t index = random_below(&source, block_count);
        tagged_block_free(succession->blocks[index]);
        succession->blocks[index] = allocate_random(&source);
    }
    succession->random = source;
}

static void announce_end(void) {
    pthread_mutex_lock(&running_lock);
    running--;
    pthread_cond_signal(&running_changed);
    pthread_mutex_unlock(&running_lock);
}

static void start_successor(struct succession *succession);

static void *serve(void *argument) {
    struct succession *succession = argument;
    replace_blocks(succession);
    succession->rounds_left--;
    if (succession->rounds_left > 0)
        start_successor(succession);
    else
        announce_end();
    return NULL;
}

/* Detached, because nobody is left who could wait for a thread whose successor has started. */
static void start_successor(struct succession *succession) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, serve, succession) == 0, "a thread starts");
    pthread_detach(thread);
}

static void fill(struct succession *succession, size_t seed) {
    succession->random.state = seed;
    succession->rounds_left = round_count;
    succession->blocks = calloc(block_count, sizeof(*succession->blocks));
    CHECK(succession->blocks, "calloc returns memory");
    for (size_t i = 0; i < block_count; i++)
        succession->blocks[i] = allocate_random(&succession->random);
}

static void empty(struct succession *succession) {
    for (size_t i = 0; i < block_count; i++)
        tagged_block_free(succession->blocks[i]);
    free(succession->blocks);
}

static void run(struct succession *successions) {
    running = thread_count;
    for (size_t i = 0; i < thread_count; i++)
        start_successor(&successions[i]);
    pthread_mutex_lock(&running_lock);
    while (running > 0)
        pthread_cond_wait(&running_changed, &running_lock);
    pthread_mutex_unlock(&running_lock);
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"threads", "threads at a time", &thread_count, 1, NULL},
        {"blocks", "live blocks of each thread", &block_count, 1, NULL},
        {"rounds", "threads that follow one another", &round_count, 1, NULL},
        {"operations", "replaced blocks in a round", &operation_count, 1, NULL},
        {"smallest", "bytes of the smallest block", &smallest, TAGGED_BLOCK_LEAST, NULL},
        {"largest", "bytes of the largest block", &largest, TAGGED_BLOCK_LEAST, NULL},
    };
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));
    CHECK(smallest <= largest, "the smallest size is not above the largest");

    struct succession *successions = calloc(thread_count, sizeof(*successions));
    CHECK(successions, "calloc returns memory");
    for (size_t i = 0; i < thread_count; i++)
        fill(&successions[i], i);
    double start = seconds_now();
    run(successions);
    double seconds = seconds_now() - start;
    for (size_t i = 0; i < thread_count; i++)
        empty(&successions[i]);
    free(successions);

    double operations = (double)thread_count * (double)round_count * (double)operation_count;
    printf("larson: %.2f million replacements/s (%zu threads, %.2f s)\n",
           operations / seconds * 1e-6, thread_count, seconds);
    return 0;
}
