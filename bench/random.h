/*
 * A small generator of pseudo-random numbers (a Weyl sequence put through a mixing function).
 *
 * Guarantees the same sequence for the same seed on every run and under every allocator, keeps its
 * state with the caller (no lock, no allocation), and costs little beside a malloc.
 */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random_source {
    uint64_t state;
};

static inline uint64_t random_next(struct random_source *source) {
    source->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = source->state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* A number from 0 to bound - 1; the bound must fit 32 bits. */
static inline size_t random_below(struct random_source *source, size_t bound) {
    return (size_t)(((random_next(source) >> 32) * bound) >> 32);
}

static inline size_t random_between(struct random_source *source, size_t least, size_t most) {
    return least + random_below(source, most - least + 1);
}

#endif
