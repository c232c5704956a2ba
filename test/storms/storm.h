/* What all storms share: time and seed from the command line, random numbers, and objects that know
 * whether they are still what they were.
 *
 * Each storm is a program for tithe: mutators do what hides pointers from a concurrent marker, all
 * the time, while cycles run back to back, and check every object on every touch. A wrong one ends
 * the program with a line that names it. Usage: NAME [SECONDS [SEED]]; the seed is printed first.
 */
#ifndef TITHE_TEST_STORM_H
#define TITHE_TEST_STORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STORM_CHECK(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t storm_seed = 1;
static double storm_end;

static inline double storm_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static inline bool storm_goes_on(void) { return storm_now() < storm_end; }

static inline void storm_start(int count, char **arguments) {
    storm_seed = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t)getpid();
    storm_end = storm_now() + (count > 1 ? atof(arguments[1]) : 3);
    printf("%s: seed %llu\n", arguments[0], (unsigned long long)storm_seed);
    fflush(stdout);
}

static inline uint64_t storm_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Threads get streams of their own. */
static inline uint64_t storm_stream(uint64_t number) {
    uint64_t state = (storm_seed + number) * 0x9e3779b97f4a7c15u | 1;
    storm_random(&state);
    return state;
}

/* A block whose every byte follows from its address, so that one that was taken back too early, and
 * cleared or handed out again, shows. */
struct checked {
    uint64_t disguise; /* of its own address */
    uint64_t bytes;
    struct checked *link;
    unsigned char rest[];
};

enum { CHECKED_LEAST = sizeof(struct checked) };

static inline unsigned char checked_byte(const struct checked *block, size_t at) {
    return (unsigned char)(((uintptr_t)block >> 4) * 31 + at * 7);
}

static inline struct checked *checked_make(size_t bytes, struct checked *link) {
    if (bytes < CHECKED_LEAST)
        bytes = CHECKED_LEAST;
    struct checked *block = malloc(bytes);
    STORM_CHECK(block != NULL);
    block->disguise = ~(uint64_t)(uintptr_t)block;
    block->bytes = bytes;
    block->link = link;
    for (size_t at = 0; at < bytes - CHECKED_LEAST; at += 13)
        block->rest[at] = checked_byte(block, at);
    return block;
}

static inline void checked_verify(const struct checked *block) {
    STORM_CHECK(block->disguise == ~(uint64_t)(uintptr_t)block);
    for (size_t at = 0; at < block->bytes - CHECKED_LEAST; at += 13)
        STORM_CHECK(block->rest[at] == checked_byte(block, at));
}

/* Freed by hand it must not look whole any more. */
static inline void checked_free(struct checked *block) {
    checked_verify(block);
    block->disguise = 0;
    free(block);
}

#endif
