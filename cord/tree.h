/* What a cord is made of, and making its parts. Everything here is immutable once it is made, so
 * that nothing in this library needs a lock but the reading of files.
 *
 * A cord is CORD_EMPTY, a C string, or a node, whose first byte is NUL. A node is
 *   a slice     counted characters in memory that belongs to something else or to it alone, with
 * NULs among them or not; the byte after them may be read, too; a function  len characters, the
 * i-th being fn(offset + i, data); a pair      two cords, neither of them empty. The length of a C
 * string in a pair is known from the pair, so parts are passed with their lengths.
 */
#ifndef TITHE_CORD_TREE_H
#define TITHE_CORD_TREE_H

#include "gc/cord.h"

#include <stdbool.h>
#include <stdint.h>

enum cord_kind { CORD_KIND_SLICE, CORD_KIND_FUNCTION, CORD_KIND_PAIR };

/* C strings up to here are copied together rather than joined: with the NUL 32 bytes, as a pair. */
enum { CORD_SHORT = 31 };

/* The left half of a pair is as long as it says itself. */
#define CORD_LEFT_IS_LONG UINT32_MAX

struct cord_node {
    char nul;
    uint8_t kind;
    uint8_t depth;        /* the longest way to a leaf; 0 is a leaf */
    uint8_t level_parts;  /* see join.h; 1 is a leaf */
    uint32_t left_length; /* of a pair */
    size_t length;
};

struct cord_slice {
    struct cord_node node;
    const char *bytes;
};

struct cord_function {
    struct cord_node node;
    CORD_fn fn;
    void *data;
    size_t offset;
};

struct cord_pair {
    struct cord_node node;
    CORD left, right;
};

/* A cord that is not empty, and its length. */
struct cord_part {
    CORD cord;
    size_t length;
};

/* A leaf of length 1: NUL. */
extern const struct cord_slice cord_one_nul;

static inline const struct cord_node *cord_node(CORD x) { return (const struct cord_node *)x; }

static inline bool cord_is(enum cord_kind kind, CORD x) {
    return !CORD_IS_STRING(x) && cord_node(x)->kind == kind;
}

static inline unsigned cord_depth(CORD x) { return CORD_IS_STRING(x) ? 0 : cord_node(x)->depth; }

static inline unsigned cord_level_parts(CORD x) {
    return CORD_IS_STRING(x) ? 1 : cord_node(x)->level_parts;
}

/* The halves of a pair. */
static inline struct cord_part cord_left(CORD x) {
    const struct cord_pair *pair = (const struct cord_pair *)x;
    size_t length = pair->node.left_length;
    if (length == CORD_LEFT_IS_LONG)
        length = cord_node(pair->left)->length;
    return (struct cord_part){pair->left, length};
}

static inline struct cord_part cord_right(CORD x) {
    const struct cord_pair *pair = (const struct cord_pair *)x;
    return (struct cord_part){pair->right, pair->node.length - cord_left(x).length};
}

/* The characters of a leaf in memory; NULL for a function. */
static inline const char *cord_leaf_bytes(CORD leaf) {
    if (CORD_IS_STRING(leaf))
        return leaf;
    return cord_is(CORD_KIND_SLICE, leaf) ? ((const struct cord_slice *)leaf)->bytes : NULL;
}

/* The character of a function. */
static inline char cord_function_call(CORD leaf, size_t i) {
    const struct cord_function *function = (const struct cord_function *)leaf;
    return function->fn(function->offset + i, function->data);
}

static inline struct cord_part cord_part(CORD x) { return (struct cord_part){x, CORD_len(x)}; }

/* Memory with or without pointers in it; where there is none, as CORD_oom_fn says. */
void *cord_allocate(size_t bytes);
char *cord_allocate_characters(size_t count);

/* Ends the program. */
_Noreturn void cord_fail(const char *message);

/* A copy of characters that are not NUL, at most CORD_SHORT of them from two places. */
struct cord_part cord_copied_together(const char *x, size_t x_length, const char *y,
                                      size_t y_length);

/* A copy of any characters, at least one. */
struct cord_part cord_of_bytes(const char *bytes, size_t length);

/* These do not copy. The slice's bytes must not change, and the byte after them must be readable.
 */
struct cord_part cord_slice(const char *bytes, size_t length);
struct cord_part cord_function(CORD_fn fn, void *data, size_t offset, size_t length);

/* The pair of these two, however deep it may be. The lengths must add up. */
struct cord_part cord_pair(struct cord_part left, struct cord_part right);

#endif
