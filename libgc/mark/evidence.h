/* What a word may be: the one place that says so; doc/evidence.md tells why.
 *
 * Anything may be an address, and what is not one keeps garbage. So each sort of evidence that a
 * program in use has an object counts under its own condition: where the word lies, whether it must
 * lead to the object's very start, and whether something in the process is known to keep addresses
 * like that. Words that are plain addresses keep what they lead into; the weaker sorts are looked
 * at after those, so that what they keep by themselves can be counted, and told.
 *
 * The options choose; what the process loads is looked at before each mark. Both change only while
 * no marker is at work. Whoever reads words asks here: markers by what words.c has let through,
 * which is at least all that counts; leak checks word by word.
 */
#ifndef TITHE_MARK_EVIDENCE_H
#define TITHE_MARK_EVIDENCE_H

#include "heap/object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum evidence_sort {
    EVIDENCE_ADDRESS,  /* an address anywhere in an object, at a multiple of four bytes */
    EVIDENCE_PACKED,   /* the same at another byte */
    EVIDENCE_TAGGED,   /* the address of its start, under a tag in the high bits */
    EVIDENCE_DISTANCE, /* how far it is from one object's start to that of another */
    EVIDENCE_DIGITS,   /* the address of its start as an integer of Python's */
    EVIDENCE_FIXNUM,   /* the same as a small integer of a language, shifted by some bits */
    EVIDENCE_DOUBLE,   /* the same as a floating point number */
    EVIDENCE_SORTS
};

extern const char *const evidence_names[EVIDENCE_SORTS];

/* Words of a sort that lead to the heap, and the objects they kept: a marker looks at those when it
 * has nothing else left, so that hardly one would be kept by something stronger. */
struct evidence_count {
    size_t words, objects, bytes;
};

/* Where a word was found. */
enum evidence_place {
    EVIDENCE_AT_BYTE, /* at no multiple of four */
    EVIDENCE_AT_HALF, /* at a multiple of four, or in machine code, where operands have no places */
    EVIDENCE_AT_WORD  /* at a multiple of eight */
};

/* An address with the sort that told of it: addresses leave the highest byte free. */
enum { EVIDENCE_SORT_SHIFT = 56, EVIDENCE_SORT_MASK = 15, EVIDENCE_NUMBERS_MOST = 16 };

static inline enum evidence_sort evidence_sort(uintptr_t found) {
    return found >> EVIDENCE_SORT_SHIFT & EVIDENCE_SORT_MASK;
}

static inline uintptr_t evidence_of_sort(uintptr_t address, enum evidence_sort sort) {
    return address | (uintptr_t)sort << EVIDENCE_SORT_SHIFT;
}

/* Whether such evidence keeps the object in which the address lies. */
static inline bool evidence_keeps(enum evidence_sort sort, struct object object,
                                  uintptr_t address) {
    return sort <= EVIDENCE_PACKED ||
           (object_address(object) == address &&
            (sort != EVIDENCE_DISTANCE || object.span->kind == OBJECT_SCANNED));
}

/* What all words but a few fail, so that most are passed over several at a time. */
struct evidence_filter {
    /* Of the address in a word, byte 5 without the bits outside the mask, and byte 4. */
    unsigned char mask5, lowest5, range5, lowest4, range4;
    bool packed;    /* at every byte, else at multiples of four */
    bool distances; /* in objects */
    /* The upper halves of the numbers that may be one, at multiples of eight. */
    unsigned number_count;
    struct {
        uint32_t lowest, range;
    } numbers[EVIDENCE_NUMBERS_MOST];
};

extern struct evidence_filter evidence_filter;

/* A word in which no plain address is: whether one is there under a tag, and with its sort found.
 * At multiples of four. */
bool evidence_tagged(uintptr_t word, uintptr_t *found);

/* No address at all that is not under a tag is so large. */
static inline bool evidence_may_be_tagged(uintptr_t word) { return word >> 47 != 0; }

/* Near zero, as a distance is; no number of a language's that stands for an address of ours is. */
static inline bool evidence_is_near(uintptr_t word) {
    return word + ((uintptr_t)1 << 32) < (uintptr_t)2 << 32;
}

/* The addresses, with their sorts, as which a word may be a number of some language; returns how
 * many. At multiples of eight. */
unsigned evidence_numbers(uintptr_t word, uintptr_t found[EVIDENCE_NUMBERS_MOST]);

/* Whether the word of a plain object tells how far it is to another one. At multiples of eight. */
bool evidence_distance(struct object from, uintptr_t word, uintptr_t *found);

/* From now on what programs keep that know of no collector: all that the options say. */
void evidence_of_programs(void);

/* From now on a distance only counts if it leads to an object of another size class, whoever is
 * there: where leaks are told, one that is not told must not hang on a small number. */
void evidence_distances_to_others(void);

/* Looks at what has been loaded since. True when more counts than before. Before a mark, and again
 * in its stop: what was read under the old rules has to be read again. With memory open
 * (os/memory.h). */
bool evidence_look_around(bool stopped);

/* Adds what a marker has counted, and takes it from there. Any marker. */
void evidence_count(struct evidence_count counts[EVIDENCE_SORTS]);

/* What has been counted of a sort since a mark began. */
struct evidence_count evidence_counted(enum evidence_sort sort);

/* A mark begins: nothing is counted. The conductor. */
void evidence_count_anew(void);

/* Learns where the heap is, with all sets locked, when a mark begins: objects that come later need
 * not be found. Without it the filter passes every word. */
void evidence_bound(void);

#endif
