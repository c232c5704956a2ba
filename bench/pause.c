/*
 * Hash tables under churn, and the time that each operation on them took: what a program feels of
 * whoever manages its memory, stops of a collector above all.
 *
 * An operation looks a random key up, checks what is stored there, and puts a fresh node with a
 * fresh payload of random size in its place, so that the live bytes stay what they are. The
 * replaced node is freed; with --no-free it is left to the collector. At the end every node of
 * every table is checked.
 *
 * Each thread has a table of its own and no lock: with a shared one, a thread that the kernel takes
 * off its processor while it holds a lock makes others wait, and the latencies would tell about
 * that. What is left in them is the memory's own speed, the allocator, the collector, and the
 * kernel's scheduling, which is the same for all that are compared.
 *
 * An operation counts from the end of the one before it, so each stop is in some operation. The
 * next one is not asked for before the last one has ended: a stop of 10 ms is one slow operation,
 * not the ten thousand that would have come meanwhile. That is why the share of the time that went
 * into operations of 1 ms and more is printed, too.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"
#include "latency.h"
#include "object_memory.h"
#include "random.h"

enum { MOST_THREADS = 64, CLOCK_READINGS = 100000 };

static size_t live_mib = 256;
static size_t thread_count = 1;
static size_t warm;
static size_t seconds = 10;
static size_t smallest = 32;
static size_t largest = 256;
static size_t seed = 1;
static bool no_free;
static bool incremental;
static bool data;

/* The text is letters: like most data of most programs it does not look like a pointer. */
struct payload {
    uint64_t key;
    uint32_t bytes;
    uint32_t check;
    char text[];
};

struct node {
    struct node *next;
    uint64_t key;
    struct payload *payload;
    uint64_t check;
};

/* Holds the keys from 1 on, at any time each of them once. */
struct table {
    struct node **buckets;
    size_t keys; /* as many as buckets */
};

struct worker {
    pthread_t thread;
    struct table table;
    struct latencies *latencies;
    size_t number;
} __attribute__((aligned(64)));

/* Static, because the collectors take the tables' memory as reachable from here. */
static struct worker workers[MOST_THREADS];
static pthread_barrier_t filled, started, ended;
static uint64_t start, deadline;

static size_t text_bytes(const struct payload *payload) {
    return payload->bytes - sizeof(struct payload);
}

static uint32_t payload_check(const struct payload *payload) {
    return ((uint32_t)payload->key ^ payload->bytes << 8) * 2654435761u;
}

static char payload_letter(const struct payload *payload) {
    return (char)('a' + payload->check % 26);
}

static struct payload *payload_create(uint64_t key, size_t bytes) {
    struct payload *payload = object_allocate(bytes);
    CHECK(payload, "there is memory for a payload");
    payload->key = key;
    payload->bytes = (uint32_t)bytes;
    payload->check = payload_check(payload);
    memset(payload->text, payload_letter(payload), text_bytes(payload));
    return payload;
}

/* The addresses cancel each other to a small number, so the sum hides no pointer and looks like
 * none. */
static uint64_t node_check(const struct node *node) {
    return ((uintptr_t)node ^ (uintptr_t)node->payload) + node->key;
}

static struct node *node_create(uint64_t key, size_t payload_bytes) {
    struct node *node = object_allocate(sizeof(*node));
    CHECK(node, "there is memory for a node");
    node->key = key;
    node->payload = payload_create(key, payload_bytes);
    node->check = node_check(node);
    return node;
}

/* What an operation looks at: the last letter lies farthest from the header. */
static void check_node(const struct node *node) {
    CHECK(node->check == node_check(node), "a node keeps its contents");
    const struct payload *payload = node->payload;
    CHECK(payload->key == node->key && payload->check == payload_check(payload),
          "a payload keeps its header");
    CHECK(payload->text[text_bytes(payload) - 1] == payload_letter(payload),
          "a payload keeps its last letter");
}

static void check_text(const struct payload *payload) {
    for (size_t i = 0; i < text_bytes(payload); i++)
        CHECK(payload->text[i] == payload_letter(payload), "a payload keeps its text");
}

static struct node **bucket_of(const struct table *table, uint64_t key) {
    struct random_source hash = {key};
    return &table->buckets[random_below(&hash, table->keys)];
}

static struct node **find(const struct table *table, uint64_t key) {
    struct node **link = bucket_of(table, key);
    while (*link && (*link)->key != key)
        link = &(*link)->next;
    CHECK(*link, "every key is in its table");
    return link;
}

static void fill(struct table *table, struct random_source *random) {
    for (uint64_t key = 1; key <= table->keys; key++) {
        struct node *node = node_create(key, random_between(random, smallest, largest));
        struct node **bucket = bucket_of(table, key);
        node->next = *bucket;
        *bucket = node;
    }
}

static void replace(const struct table *table, struct random_source *random) {
    uint64_t key = 1 + random_below(random, table->keys);
    struct node **link = find(table, key);
    struct node *old = *link;
    check_node(old);
    struct node *fresh = node_create(key, random_between(random, smallest, largest));
    fresh->next = old->next;
    *link = fresh;
    if (!no_free) {
        object_free(old->payload);
        object_free(old);
    }
}

static bool is_in_chain(const struct node *chain, uint64_t key) {
    while (chain && chain->key != key)
        chain = chain->next;
    return chain != NULL;
}

/* As many nodes as keys, each key possible, in its own bucket and only once there: that is every
 * key once. */
static void verify(const struct table *table) {
    size_t nodes = 0;
    for (size_t i = 0; i < table->keys; i++) {
        for (const struct node *node = table->buckets[i]; node; node = node->next) {
            CHECK(node->key >= 1 && node->key <= table->keys, "a node has a key of its table");
            CHECK(bucket_of(table, node->key) == &table->buckets[i], "a node is in its bucket");
            CHECK(!is_in_chain(node->next, node->key), "a key is in its bucket only once");
            check_node(node);
            check_text(node->payload);
            nodes++;
        }
    }
    CHECK(nodes == table->keys, "no node is missing and none is too many");
}

static void churn(const struct worker *worker, struct random_source *random) {
    struct latencies *latencies = worker->latencies;
    while (nanoseconds_now() < start)
        replace(&worker->table, random);
    latencies_start(latencies, start);
    uint64_t now;
    do {
        replace(&worker->table, random);
        now = nanoseconds_now();
        latencies_record(latencies, now);
    } while (now < deadline);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    struct random_source random = {(uint64_t)seed << 32 | worker->number};
    fill(&worker->table, &random);
    pthread_barrier_wait(&filled);
    pthread_barrier_wait(&started);
    churn(worker, &random);
    pthread_barrier_wait(&ended);
    verify(&worker->table);
    return NULL;
}

static size_t keys_of_each(void) {
    size_t bytes_per_key =
        sizeof(struct node *) + sizeof(struct node) + (smallest + largest + 1) / 2;
    return (live_mib << 20) / bytes_per_key / thread_count;
}

static void prepare(struct worker *worker, size_t number) {
    size_t keys = keys_of_each();
    worker->number = number;
    worker->table.keys = keys;
    worker->table.buckets = object_allocate_zeroed(keys * sizeof(*worker->table.buckets));
    CHECK(worker->table.buckets, "there is memory for a table");
    worker->latencies = latencies_open(seconds);
    CHECK(object_thread_create(&worker->thread, work, worker) == 0, "a thread starts");
}

static void wait_until(uint64_t when) {
    struct timespec then = {(time_t)(when / 1000000000), (long)(when % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) == EINTR)
        continue;
}

/* What a collector says on standard error between the two lines falls into the time measured. */
static void run(void) {
    unsigned parties = (unsigned)thread_count + 1;
    pthread_barrier_init(&filled, NULL, parties);
    pthread_barrier_init(&started, NULL, parties);
    pthread_barrier_init(&ended, NULL, parties);
    for (size_t i = 0; i < thread_count; i++)
        prepare(&workers[i], i);
    pthread_barrier_wait(&filled);
    start = nanoseconds_now() + warm * UINT64_C(1000000000);
    deadline = start + seconds * UINT64_C(1000000000);
    pthread_barrier_wait(&started);
    wait_until(start);
    fputs("pause: measuring\n", stderr);
    pthread_barrier_wait(&ended);
    fputs("pause: measured\n", stderr);
    for (size_t i = 0; i < thread_count; i++)
        CHECK(object_thread_join(workers[i].thread) == 0, "a thread ends");
}

/* Part of every latency. */
static uint64_t clock_nanoseconds(void) {
    uint64_t before = nanoseconds_now();
    for (size_t i = 1; i < CLOCK_READINGS; i++)
        nanoseconds_now();
    return (nanoseconds_now() - before) / CLOCK_READINGS;
}

static long peak_kib(void) {
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage answers");
    return usage.ru_maxrss;
}

/* Each number stands after its name, so that a script need not know the order. */
static void report(const struct latencies *latencies) {
    static const struct {
        const char *name;
        uint64_t of_10000;
    } percentiles[] = {{"p50", 5000}, {"p99", 9900}, {"p99.9", 9990}, {"p99.99", 9999}};
    double passed = (double)(latencies->end - latencies->start) * 1e-9;
    printf("# pause: threads %zu live %zu MiB %s seconds %.2f operations %ju rate %.0f /s",
           thread_count, live_mib, no_free ? "not freed" : "freed", passed,
           (uintmax_t)latencies->operations, (double)latencies->operations / passed);
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        printf(" %s %ju ns", percentiles[i].name,
               (uintmax_t)latencies_percentile(latencies, percentiles[i].of_10000));
    printf(" worst %ju ns slow %.3f %% peak %ld KiB clock %ju ns\n", (uintmax_t)latencies->longest,
           (double)latencies->slow * 1e-7 / (passed * (double)thread_count), peak_kib(),
           (uintmax_t)clock_nanoseconds());
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"live", "MiB that stay live, in all threads together", &live_mib, 1, NULL},
        {"threads", "threads, each with a table of its own", &thread_count, 1, NULL},
        {"warm", "seconds to do the same before measuring", &warm, 0, NULL},
        {"seconds", "how long to measure", &seconds, 1, NULL},
        {"smallest", "bytes of the smallest payload", &smallest, sizeof(struct payload) + 1, NULL},
        {"largest", "bytes of the largest payload", &largest, sizeof(struct payload) + 1, NULL},
        {"seed", "of the random keys and sizes", &seed, 0, NULL},
        {"no-free", "leave what is replaced to the collector", NULL, 0, &no_free},
        {"incremental", "let libgc collect incrementally", NULL, 0, &incremental},
        {"data", "print all latencies, too", NULL, 0, &data},
    };
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));
    CHECK(smallest <= largest, "the smallest size is not above the largest");
    CHECK(thread_count <= MOST_THREADS, "there are not too many threads");
    CHECK(keys_of_each() >= 1 && keys_of_each() <= UINT32_MAX, "the tables have a possible size");

    object_memory_start(incremental);
    run();
    struct latencies *all = latencies_open(seconds);
    latencies_start(all, start);
    for (size_t i = 0; i < thread_count; i++)
        latencies_merge(all, workers[i].latencies);
    report(all);
    if (data)
        latencies_write(all);
    return 0;
}
