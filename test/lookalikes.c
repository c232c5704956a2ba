/* What only looks like a pointer keeps next to nothing, and what is one in a form of its own keeps
 * what it leads to. Run under tithe, with its defaults.
 */
#include "witness.h"

#include "suite.h"
#include "tithe.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_BY_CHANCE = 3 };

static uint64_t random_number(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static size_t live_bytes(void) {
    struct tithe_statistics now;
    tithe_get_statistics(&now, sizeof now);
    return now.live;
}

__attribute__((noinline)) static void overwrite_stack(void) {
    volatile unsigned char buffer[32768];
    for (size_t i = 0; i < sizeof buffer; i++)
        buffer[i] = (unsigned char)i;
}

static void collect(void) {
    overwrite_stack();
    ck_assert(tithe_collect());
}

/* Random bytes, as compressed or encrypted data is. */
enum { BUFFERS = 24, BUFFER_BYTES = 4 << 20, SMALL_BLOCKS = 400000 };

static void *volatile buffers[BUFFERS];
static void *volatile place;

__attribute__((noinline)) static uint64_t *make_random(void) {
    uint64_t *buffer = malloc(BUFFER_BYTES);
    for (size_t i = 0; i < BUFFER_BYTES / sizeof *buffer; i++)
        buffer[i] = random_number();
    return buffer;
}

/* Large blocks, into which a random address leads easily, and small ones, of which there are many
 * starts. */
__attribute__((noinline)) static void make_random_heap(void) {
    for (int i = 0; i < BUFFERS; i++) {
        buffers[i] = make_random();
        place = make_random();
    }
    for (int i = 0; i < SMALL_BLOCKS; i++)
        memset(place = malloc(100), 0x11, 100);
    place = NULL;
}

START_TEST(random_bytes_keep_nothing) {
    const size_t expected = (size_t)BUFFERS * BUFFER_BYTES;
    make_random_heap();
    collect();
    collect();
    ck_assert_uint_ge(live_bytes(), expected);
    ck_assert_uint_lt(live_bytes(), expected / 100 * 105);
}
END_TEST

/* A block that holds its own size, and that of two, as vectors of bytes do. */
struct sized {
    uint64_t capacity, length;
    char text[];
};

enum { SIZED = 500000, KEPT_OF_SIZED = 100 };

static struct sized *volatile kept[SIZED / KEPT_OF_SIZED];

__attribute__((noinline)) static void make_sized(void) {
    for (int i = 0; i < SIZED; i++) {
        struct sized *block = malloc(47);
        *block = (struct sized){48 * (uint64_t)(i % 7), 96};
        memset(block->text, 0, 31);
        if (i % KEPT_OF_SIZED == 0)
            kept[i / KEPT_OF_SIZED] = block;
    }
}

START_TEST(a_size_is_no_distance_to_a_neighbour) {
    make_sized();
    collect();
    collect();
    ck_assert_uint_lt(live_bytes(), SIZED / KEPT_OF_SIZED * 48 + (1 << 20));
}
END_TEST

/* Words that lead to the middle of an object under a tag, which no system in use has. */
static uintptr_t tagged[WITNESSES];

__attribute__((noinline)) static void make_tagged(struct witnesses *group, uintptr_t offset) {
    for (unsigned i = 0; i < WITNESSES; i++)
        tagged[i] = ((uintptr_t)witness_make(group, i) + offset) | (uintptr_t)(i + 1) << 48;
}

START_TEST(a_tag_counts_on_a_start_alone) {
    struct witnesses starts, middles;
    make_tagged(&starts, 0);
    witness_churn();
    ck_assert_uint_eq(witness_intact(&starts), WITNESSES);
    memset(tagged, 0, sizeof tagged);
    witness_churn();
    ck_assert_uint_le(witness_intact(&starts), KEPT_BY_CHANCE);
    make_tagged(&middles, 16);
    witness_churn();
    ck_assert_uint_le(witness_intact(&middles), KEPT_BY_CHANCE);
}
END_TEST

/* Seven bytes apart: each of the eight places in a word has its turn, and in each of the blocks
 * that are looked at together. */
static unsigned char records[WITNESSES * 15 + 8];
static unsigned char *heap_records;

__attribute__((noinline)) static void make_packed(struct witnesses *group, unsigned char *to) {
    for (unsigned i = 0; i < WITNESSES; i++) {
        void *object = witness_make(group, i);
        memcpy(to + i * 15 + 1, &object, sizeof object);
    }
}

START_TEST(a_packed_pointer_counts_at_every_byte) {
    struct witnesses in_data, in_heap;
    heap_records = calloc(1, sizeof records);
    make_packed(&in_data, records);
    make_packed(&in_heap, heap_records);
    witness_churn();
    ck_assert_uint_eq(witness_intact(&in_data), WITNESSES);
    ck_assert_uint_eq(witness_intact(&in_heap), WITNESSES);
    memset(records, 0, sizeof records);
    memset(heap_records, 0, sizeof records);
    witness_churn();
    ck_assert_uint_le(witness_intact(&in_data) + witness_intact(&in_heap), KEPT_BY_CHANCE);
}
END_TEST

/* A number counts as an address only where a language writes it so: in this process there is none.
 */
START_TEST(no_number_is_an_address_without_its_language) {
    struct witnesses group;
    for (unsigned i = 0; i < WITNESSES; i++)
        tagged[i] = 2 * (uintptr_t)witness_make(&group, i) + 1;
    witness_churn();
    ck_assert_uint_le(witness_intact(&group), KEPT_BY_CHANCE);
}
END_TEST

/* fontconfig keeps a pattern's elements by their distance from it; they may be of one size. */
enum { PATTERNS = 300, ELEMENTS = 12 };

typedef struct pattern pattern;
static pattern *patterns[PATTERNS];
static pattern *(*pattern_create)(void);
static int (*pattern_add)(pattern *to, const char *object, int number);
static int (*pattern_get)(const pattern *from, const char *object, int n, int *number);

static const char *const properties[ELEMENTS] = {
    "slant", "weight",    "width",      "spacing",     "hintstyle", "rgba",
    "index", "charwidth", "charheight", "fontversion", "lcdfilter", "order"};

__attribute__((noinline)) static void make_patterns(void) {
    for (int i = 0; i < PATTERNS; i++) {
        patterns[i] = pattern_create();
        for (int k = 0; k < ELEMENTS; k++)
            ck_assert(pattern_add(patterns[i], properties[k], i * ELEMENTS + k));
    }
}

START_TEST(patterns_of_fontconfig_stay) {
    void *library = dlopen("libfontconfig.so.1", RTLD_NOW);
    if (library == NULL)
        return;
    pattern_create = (pattern * (*)(void)) dlsym(library, "FcPatternCreate");
    pattern_add = (int (*)(pattern *, const char *, int))dlsym(library, "FcPatternAddInteger");
    pattern_get =
        (int (*)(const pattern *, const char *, int, int *))dlsym(library, "FcPatternGetInteger");
    make_patterns();
    for (int i = 0; i < 3; i++) {
        struct witnesses others;
        make_tagged(&others, 16);
        witness_churn();
    }
    for (int i = 0; i < PATTERNS; i++)
        for (int k = 0, number; k < ELEMENTS; k++) {
            REQUIRE(pattern_get(patterns[i], properties[k], 0, &number) == 0);
            REQUIRE(number == i * ELEMENTS + k);
        }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        random_bytes_keep_nothing,
        a_size_is_no_distance_to_a_neighbour,
        a_tag_counts_on_a_start_alone,
        a_packed_pointer_counts_at_every_byte,
        no_number_is_an_address_without_its_language,
        patterns_of_fontconfig_stay,
    };
    if (&tithe_collect == NULL) {
        fputs("lookalikes: run this under tithe\n", stderr);
        return 1;
    }
    return SUITE_RUN("lookalikes", tests, 120);
}
