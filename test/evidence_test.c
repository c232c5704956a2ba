/* What a word may be: each sort of evidence counts where it should and nowhere else, and vectors
 * find what looking at words one by one finds.
 *
 * Nothing is marked here: what a marker would look up is compared while it is in its lists.
 */
#include "suite.h"

#include "alloc/alloc.h"
#include "mark/evidence.h"
#include "mark/words.h"
#include "os/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { OBJECTS = 512, PAGE_BYTES = 4096, WORD = sizeof(uintptr_t), MOST_WORDS = 24 };

static uintptr_t objects[OBJECTS];
static uint64_t state;

static uint64_t random_number(void) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* All sorts, and objects of many classes. */
static void prepare(const char *numbers) {
    const char *seed = getenv("TITHE_TEST_SEED");
    state = seed ? strtoull(seed, NULL, 0) | 1 : 0x9e3779b97f4a7c15u;
    strcpy(options.digits, numbers);
    strcpy(options.fixnums, numbers);
    strcpy(options.doubles, numbers);
    for (int i = 0; i < OBJECTS; i++)
        objects[i] = (uintptr_t)alloc_fast(16 + i % 40 * 16);
    evidence_of_programs();
    evidence_bound();
}

static uintptr_t some_object(void) { return objects[random_number() % OBJECTS]; }

static uintptr_t bits_of(double number) {
    uintptr_t word;
    memcpy(&word, &number, sizeof word);
    return word;
}

/* The forms in which languages write an address, and two that are none. */
static uintptr_t as_digits_30(uintptr_t a) { return a >> 30 << 32 | (a & 0x3fffffff); }
static uintptr_t as_digits_15(uintptr_t a) {
    return a >> 45 << 48 | (a >> 30 & 0x7fff) << 32 | (a >> 15 & 0x7fff) << 16 | (a & 0x7fff);
}
static uintptr_t as_shifted_1(uintptr_t a) { return 2 * a + 1; }
static uintptr_t as_shifted_2(uintptr_t a) { return 4 * a + 2; }
static uintptr_t as_shifted_3(uintptr_t a) { return 8 * a; }
static uintptr_t as_double(uintptr_t a) { return bits_of((double)a); }
static uintptr_t as_double_up(uintptr_t a) { return bits_of((double)a) + ((uintptr_t)2 << 48); }

static const struct form {
    const char *name;
    uintptr_t (*write)(uintptr_t address);
    enum evidence_sort sort;
} forms[] = {
    {"digits of 30 bits", as_digits_30, EVIDENCE_DIGITS},
    {"digits of 15 bits", as_digits_15, EVIDENCE_DIGITS},
    {"shifted by 1", as_shifted_1, EVIDENCE_FIXNUM},
    {"shifted by 2", as_shifted_2, EVIDENCE_FIXNUM},
    {"shifted by 3", as_shifted_3, EVIDENCE_FIXNUM},
    {"double", as_double, EVIDENCE_DOUBLE},
    {"JavaScriptCore's double", as_double_up, EVIDENCE_DOUBLE},
};

enum { FORMS = sizeof forms / sizeof *forms };

static unsigned find_numbers(uintptr_t word, uintptr_t address, enum evidence_sort sort) {
    uintptr_t found[EVIDENCE_NUMBERS_MOST];
    unsigned count = evidence_numbers(word, found), times = 0;
    for (unsigned i = 0; i < count; i++)
        times += found[i] == evidence_of_sort(address, sort);
    return times;
}

START_TEST(a_number_counts_if_it_is_the_address_of_an_object) {
    prepare("on");
    for (int i = 0; i < OBJECTS; i++) {
        uintptr_t address = objects[i];
        for (const struct form *form = forms; form < forms + FORMS; form++) {
            struct object object;
            REQUIRE(find_numbers(form->write(address), address, form->sort) == 1);
            REQUIRE(find_numbers(form->write(address + 8), address + 8, form->sort) == 0);
            REQUIRE(object_find(address, &object));
            REQUIRE(evidence_keeps(form->sort, object, address));
            REQUIRE(!evidence_keeps(form->sort, object, address + 16));
        }
    }
}
END_TEST

START_TEST(no_number_counts_while_no_language_is_there) {
    uintptr_t found[EVIDENCE_NUMBERS_MOST];
    prepare("auto");
    for (const struct form *form = forms; form < forms + FORMS; form++)
        ck_assert_uint_eq(evidence_numbers(form->write(objects[0]), found), 0);
    ck_assert_uint_eq(evidence_filter.number_count, 0);
}
END_TEST

/* In a box, which is no number, the address has a tag in its low bits, too. */
START_TEST(a_tag_counts_on_the_address_of_a_start) {
    uintptr_t found, address = objects[0];
    static const uint64_t boxes[] = {0xfff8, 0xfffa, 0xfffc, 0xfffe, 0xffff, 0x7ff8, 0x7ffc};
    prepare("auto");
    address = objects[0];
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++) {
        ck_assert(evidence_tagged(address | boxes[i] << 48 | 3, &found));
        ck_assert_uint_eq(found, evidence_of_sort(address, EVIDENCE_TAGGED));
    }
    ck_assert(evidence_tagged(address | (uintptr_t)0x1fff7 << 47, &found)); /* seventeen bits */
    for (uintptr_t tag = 1; tag < 0x8000; tag += 77) {
        ck_assert(evidence_tagged(address | tag << 48, &found));
        ck_assert_uint_eq(found, evidence_of_sort(address, EVIDENCE_TAGGED));
    }
    ck_assert(!evidence_tagged((address + 3) | (uintptr_t)0x1234 << 48, &found));
    ck_assert(!evidence_tagged((address - ((uintptr_t)1 << 45)) | (uintptr_t)0xfff8 << 48, &found));
    options.mask = false;
    evidence_of_programs();
    ck_assert(!evidence_tagged(address | (uintptr_t)0xfff8 << 48, &found));
}
END_TEST

START_TEST(a_distance_counts_to_an_object_of_another_class) {
    struct object from;
    uintptr_t found, near[3], far = (uintptr_t)alloc_fast(3000);
    for (int i = 0; i < 3; i++)
        near[i] = (uintptr_t)alloc_fast(40);
    prepare("auto");
    ck_assert(object_find(near[0], &from));
    ck_assert(evidence_distance(from, far - near[0], &found));
    ck_assert_uint_eq(found, evidence_of_sort(far, EVIDENCE_DISTANCE));
    ck_assert(!evidence_distance(from, near[1] - near[0], &found));
    ck_assert(!evidence_distance(from, near[2] - near[0], &found));
    ck_assert(!evidence_distance(from, far - near[0] + 8, &found));
    ck_assert(!evidence_distance(from, 0, &found));
    strcpy(options.distances, "on");
    evidence_of_programs();
    ck_assert(evidence_distance(from, near[1] - near[0], &found));
    strcpy(options.distances, "off");
    evidence_of_programs();
    ck_assert(!evidence_distance(from, far - near[0], &found));
}
END_TEST

/* A word that looks like something, or like nothing. */
static uintptr_t some_word(uintptr_t from) {
    uintptr_t address = some_object();
    unsigned kind = random_number() % 16;
    if (kind < FORMS)
        return forms[kind].write(address);
    switch (kind) {
    case 7:
        return address + random_number() % 40;
    case 8:
        return address | (random_number() & 0xffff) << 48;
    case 9:
        return address - from;
    case 10:
        return random_number() % 4096;
    case 11:
        return random_number();
    default:
        return 0;
    }
}

/* Page between two that cannot be read. */
static unsigned char *page_make(void) {
    unsigned char *pages =
        mmap(NULL, 3 * PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(pages, MAP_FAILED);
    ck_assert_int_eq(mprotect(pages + PAGE_BYTES, PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
    return pages + PAGE_BYTES;
}

static int compare(const void *a, const void *b) {
    uintptr_t left = *(const uintptr_t *)a, right = *(const uintptr_t *)b;
    return left < right ? -1 : left > right;
}

static void forget(struct marker *marker) {
    marker->address_count = marker->weak_count = 0;
    memset(marker->evidence, 0, sizeof marker->evidence);
}

static void sort(struct marker *marker) {
    qsort(marker->addresses, marker->address_count, sizeof(uintptr_t), compare);
    qsort(marker->weak, marker->weak_count, sizeof(uintptr_t), compare);
}

static size_t compared;

static void compare_scans(const struct words_range *range) {
    static struct marker by_vectors, singly;
    forget(&by_vectors);
    forget(&singly);
    words_scan(&by_vectors, range);
    words_scan_singly(&singly, range);
    sort(&by_vectors);
    sort(&singly);
    REQUIRE(by_vectors.address_count == singly.address_count);
    REQUIRE(by_vectors.weak_count == singly.weak_count);
    REQUIRE(memcmp(by_vectors.addresses, singly.addresses, singly.address_count * WORD) == 0);
    REQUIRE(memcmp(by_vectors.weak, singly.weak, singly.weak_count * WORD) == 0);
    compared += singly.address_count + singly.weak_count;
}

/* At every byte, or at every half. */
static void plant(unsigned char *memory, size_t bytes, uintptr_t from) {
    memset(memory, 0, bytes);
    for (int i = random_number() % MOST_WORDS; i > 0; i--) {
        uintptr_t word = some_word(from);
        size_t at = random_number() % (bytes - WORD + 1);
        static const unsigned char steps[] = {1, 4, 8, 8};
        memcpy(memory + at / steps[i % 4] * steps[i % 4], &word, WORD);
    }
}

/* Ranges that begin and end at any byte, with nothing before or after. Parts of objects begin and
 * end at whole words. */
static void compare_random(bool code, bool inside) {
    enum { ROUNDS = 30000, MOST_BYTES = 200 };
    unsigned char *page = page_make();
    struct object object;
    for (int round = 0; round < ROUNDS; round++) {
        uintptr_t from = some_object();
        size_t bytes = WORD + random_number() % MOST_BYTES, step = inside ? WORD : 1;
        bytes = bytes / step * step;
        unsigned char *start = round % 2 ? page : page + PAGE_BYTES - bytes;
        REQUIRE(object_find(from, &object));
        plant(start, bytes, from);
        uintptr_t begin = (uintptr_t)start + random_number() % 12 / step * step;
        uintptr_t end = (uintptr_t)start + bytes;
        if (round % 4 == 3)
            end -= random_number() % 12 / step * step;
        if (begin + WORD <= end)
            compare_scans(&(struct words_range){begin, end, inside ? &object : NULL, code});
    }
    REQUIRE(compared > ROUNDS / 4);
}

/* Short vectors, machine code, parts of objects; at halves only; numbers of no language. */
START_TEST(vectors_find_what_looking_one_by_one_finds) {
    if (_i & 1)
        words_use_short_vectors();
    options.unaligned = !(_i & 8);
    prepare(_i & 16 ? "auto" : "on");
    compare_random(_i & 2, _i & 4);
}
END_TEST

/* One language, for which there is a loop of its own. */
START_TEST(vectors_find_what_one_language_writes) {
    if (_i & 1)
        words_use_short_vectors();
    prepare("off");
    strcpy(_i & 2 ? options.digits : options.doubles, "on");
    evidence_of_programs();
    evidence_bound();
    compare_random(false, _i & 4);
}
END_TEST

/* The model is only as good as what it is compared with. */
START_TEST(an_address_is_found_at_every_byte) {
    unsigned char *page = page_make();
    static struct marker marker;
    prepare("auto");
    for (size_t at = 0; at + WORD <= 3 * 32 + 5; at++) {
        size_t bytes = 3 * 32 + 5;
        unsigned char *start = page + PAGE_BYTES - bytes - 3;
        uintptr_t address = objects[at] + 5;
        memset(start, 0, bytes + 3);
        memcpy(start + at, &address, WORD);
        forget(&marker);
        scan_range(&marker, (uintptr_t)start, (uintptr_t)start + bytes, SCAN_WORDS);
        uintptr_t expected = evidence_of_sort(
            address, (uintptr_t)(start + at) % 4 ? EVIDENCE_PACKED : EVIDENCE_ADDRESS);
        ck_assert_uint_eq(marker.address_count + marker.weak_count, 1);
        ck_assert_uint_eq(marker.weak_count ? marker.weak[0] : marker.addresses[0], expected);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_number_counts_if_it_is_the_address_of_an_object,
        no_number_counts_while_no_language_is_there,
        a_tag_counts_on_the_address_of_a_start,
        a_distance_counts_to_an_object_of_another_class,
        an_address_is_found_at_every_byte,
    };
    const struct looped loops[] = {{vectors_find_what_looking_one_by_one_finds, 32},
                                   {vectors_find_what_one_language_writes, 8}};
    return SUITE_RUN_LOOPS("evidence", tests, loops, 60);
}
