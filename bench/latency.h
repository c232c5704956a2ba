/*
 * How long each operation of one thread took: a histogram of all of them, and the longest of each
 * 10 ms.
 *
 * Recording allocates nothing, takes no lock and never faults a page in. All memory comes from
 * latencies_open(), and it is mapped for writing only: a collector that looks for pointers in
 * whatever a program can read finds no reason to look here, where numbers of nanoseconds would
 * often look like addresses. (x86-64 and aarch64 let a program read what it may write.)
 *
 * The histogram is log-linear: exact below 256 ns, above that 128 buckets for each power of two, so
 * that what it tells is at most 1/128 too long and never too short. A recorder belongs to one
 * thread; it is merged and written when that thread has ended.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include "check.h"

enum {
    LATENCY_LINEAR_BITS = 7,
    LATENCY_LINEAR = 1 << LATENCY_LINEAR_BITS,
    LATENCY_BUCKETS = (64 - LATENCY_LINEAR_BITS + 1) * LATENCY_LINEAR,
    LATENCY_SLOTS_PER_SECOND = 100
};

#define LATENCY_SLOT_NANOSECONDS UINT64_C(10000000)
#define LATENCY_SLOW_NANOSECONDS UINT64_C(1000000)

struct latencies {
    uint64_t start;
    uint64_t end;
    uint64_t operations;
    uint64_t longest;
    uint64_t slow; /* nanoseconds spent in operations that took at least 1 ms */
    uint64_t counts[LATENCY_BUCKETS];
    uint64_t slot_end;
    size_t slot, slots;
    uint64_t slot_longest[]; /* an operation counts where it ends */
};

/* The last slot takes what ends late. */
static inline struct latencies *latencies_open(size_t seconds) {
    size_t slots = seconds * LATENCY_SLOTS_PER_SECOND + 1;
    size_t bytes = sizeof(struct latencies) + slots * sizeof(uint64_t);
    struct latencies *latencies =
        mmap(NULL, bytes, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(latencies != MAP_FAILED, "mmap gives memory for the latencies");
    latencies->slots = slots;
    return latencies;
}

static inline void latencies_start(struct latencies *latencies, uint64_t now) {
    latencies->start = latencies->end = now;
    latencies->slot_end = now + LATENCY_SLOT_NANOSECONDS;
}

static inline size_t latency_bucket(uint64_t nanoseconds) {
    if (nanoseconds < LATENCY_LINEAR)
        return nanoseconds;
    unsigned shift = 63 - (unsigned)__builtin_clzll(nanoseconds) - LATENCY_LINEAR_BITS;
    return ((size_t)shift << LATENCY_LINEAR_BITS) + (size_t)(nanoseconds >> shift);
}

/* The longest time that falls into the bucket. */
static inline uint64_t latency_of_bucket(size_t bucket) {
    if (bucket < LATENCY_LINEAR)
        return bucket;
    unsigned shift = (unsigned)(bucket >> LATENCY_LINEAR_BITS) - 1;
    uint64_t leading = bucket - ((uint64_t)shift << LATENCY_LINEAR_BITS);
    return ((leading + 1) << shift) - 1;
}

/* An operation lasts from the end of the one before it, so that no stop falls between two. */
static inline void latencies_record(struct latencies *latencies, uint64_t now) {
    uint64_t nanoseconds = now - latencies->end;
    latencies->end = now;
    latencies->operations++;
    latencies->counts[latency_bucket(nanoseconds)]++;
    if (nanoseconds >= LATENCY_SLOW_NANOSECONDS)
        latencies->slow += nanoseconds;
    if (nanoseconds > latencies->longest)
        latencies->longest = nanoseconds;
    while (now >= latencies->slot_end && latencies->slot + 1 < latencies->slots) {
        latencies->slot++;
        latencies->slot_end += LATENCY_SLOT_NANOSECONDS;
    }
    if (nanoseconds > latencies->slot_longest[latencies->slot])
        latencies->slot_longest[latencies->slot] = nanoseconds;
}

/* Both cover the same slots. */
static inline void latencies_merge(struct latencies *into, const struct latencies *from) {
    if (from->end > into->end)
        into->end = from->end;
    if (from->longest > into->longest)
        into->longest = from->longest;
    into->operations += from->operations;
    into->slow += from->slow;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    for (size_t i = 0; i < into->slots; i++)
        if (from->slot_longest[i] > into->slot_longest[i])
            into->slot_longest[i] = from->slot_longest[i];
}

/* The time that this many of 10000 operations did not exceed. */
static inline uint64_t latencies_percentile(const struct latencies *latencies, uint64_t of_10000) {
    uint64_t rank = (latencies->operations * of_10000 + 9999) / 10000;
    uint64_t passed = latencies->counts[0];
    size_t bucket = 0;
    while (passed < rank)
        passed += latencies->counts[++bucket];
    uint64_t nanoseconds = latency_of_bucket(bucket);
    return nanoseconds < latencies->longest ? nanoseconds : latencies->longest;
}

/* Two blocks of lines as gnuplot knows them, two empty lines between them: nanoseconds and the
 * number of operations that took as long; milliseconds since the start and the longest operation
 * that ended in the 10 ms from there, in nanoseconds. */
static inline void latencies_write(const struct latencies *latencies) {
    puts("# nanoseconds operations");
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        if (latencies->counts[i])
            printf("%ju %ju\n", (uintmax_t)latency_of_bucket(i), (uintmax_t)latencies->counts[i]);
    puts("\n\n# milliseconds longest");
    for (size_t i = 0; i < latencies->slots; i++)
        if (latencies->slot_longest[i])
            printf("%zu %ju\n", i * (1000 / LATENCY_SLOTS_PER_SECOND),
                   (uintmax_t)latencies->slot_longest[i]);
}

#endif
