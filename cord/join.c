/* Joining cords so that no tree gets deep.
 *
 * A pair is level if both halves are and their depths differ by at most one; such a tree has a
 * depth of at most 1.44 times the binary logarithm of its leaves. Joining makes one pair, level or
 * not, and counts of how many level parts the tree consists. With more than PARTS_MOST of them, or
 * deeper than a position has room for, all of it is made level again. That takes the parts as they
 * are, one time for every PARTS_MOST joinings of a leaf to a growing cord, and makes about as many
 * pairs as there were parts, and as the difference in depth between the largest and the others.
 *
 * So every tree is at most MAX_DEPTH deep whatever it was made by, and all functions of this
 * library may recur on its depth.
 */
#include "cord/join.h"

enum { PARTS_MOST = 32 };

/* The level parts that a cord consists of, from left to right. */
struct parts {
    unsigned count;
    struct cord_part each[2 * PARTS_MOST];
};

static struct cord_part level_join(struct cord_part x, struct cord_part y);

/* A pair of level trees of which the second may have become deeper by two. */
static struct cord_part settle_right(struct cord_part x, struct cord_part y) {
    if (cord_depth(y.cord) <= cord_depth(x.cord) + 1)
        return cord_pair(x, y);
    struct cord_part inner = cord_left(y.cord), outer = cord_right(y.cord);
    if (cord_depth(inner.cord) <= cord_depth(outer.cord))
        return cord_pair(cord_pair(x, inner), outer);
    return cord_pair(cord_pair(x, cord_left(inner.cord)), cord_pair(cord_right(inner.cord), outer));
}

/* The same for the first. */
static struct cord_part settle_left(struct cord_part x, struct cord_part y) {
    if (cord_depth(x.cord) <= cord_depth(y.cord) + 1)
        return cord_pair(x, y);
    struct cord_part outer = cord_left(x.cord), inner = cord_right(x.cord);
    if (cord_depth(inner.cord) <= cord_depth(outer.cord))
        return cord_pair(outer, cord_pair(inner, y));
    return cord_pair(cord_pair(outer, cord_left(inner.cord)), cord_pair(cord_right(inner.cord), y));
}

/* A level tree of two level trees: the lower one goes in where the deeper one is as deep. It is at
 * most one deeper than the deeper of them. */
static struct cord_part level_join(struct cord_part x, struct cord_part y) {
    unsigned x_depth = cord_depth(x.cord), y_depth = cord_depth(y.cord);
    if (x_depth > y_depth + 1)
        return settle_right(cord_left(x.cord), level_join(cord_right(x.cord), y));
    if (y_depth > x_depth + 1)
        return settle_left(level_join(x, cord_left(y.cord)), cord_right(y.cord));
    return cord_pair(x, y);
}

static void gather(struct parts *parts, struct cord_part x) {
    if (cord_level_parts(x.cord) == 1) {
        parts->each[parts->count++] = x;
        return;
    }
    gather(parts, cord_left(x.cord));
    gather(parts, cord_right(x.cord));
}

/* Adds a level tree to the right of others, each deeper than the next, and keeps them so. Those
 * that are lower than it are joined first, the lowest first, because that is cheapest. */
static void accumulate(struct parts *done, struct cord_part x) {
    if (done->count && cord_depth(done->each[done->count - 1].cord) <= cord_depth(x.cord)) {
        struct cord_part lower = done->each[--done->count];
        while (done->count && cord_depth(done->each[done->count - 1].cord) <= cord_depth(x.cord))
            lower = level_join(done->each[--done->count], lower);
        x = level_join(lower, x);
    }
    while (done->count && cord_depth(done->each[done->count - 1].cord) <= cord_depth(x.cord))
        x = level_join(done->each[--done->count], x);
    done->each[done->count++] = x;
}

/* One level tree of all parts. */
static struct cord_part level(const struct parts *parts) {
    struct parts done = {0};
    for (unsigned i = 0; i < parts->count; i++)
        accumulate(&done, parts->each[i]);
    struct cord_part x = done.each[--done.count];
    while (done.count)
        x = level_join(done.each[--done.count], x);
    return x;
}

static char character_within(size_t i, void *data) { return CORD_fetch(data, i); }

/* A level tree that is too deep has more leaves than any memory, most of them shared. Its halves
 * become leaves. */
static struct cord_part fold(struct cord_part x) {
    if (cord_depth(x.cord) <= MAX_DEPTH)
        return x;
    struct cord_part left = cord_left(x.cord), right = cord_right(x.cord);
    return cord_pair(cord_function(character_within, (void *)left.cord, 0, left.length),
                     cord_function(character_within, (void *)right.cord, 0, right.length));
}

static struct cord_part attach(struct cord_part x, struct cord_part y) {
    if (x.length + y.length < x.length)
        cord_fail("the cord would be longer than a size_t can tell");
    unsigned parts = cord_level_parts(x.cord) + cord_level_parts(y.cord);
    if (parts <= PARTS_MOST && cord_depth(x.cord) < MAX_DEPTH && cord_depth(y.cord) < MAX_DEPTH)
        return cord_pair(x, y);
    struct parts all = {0};
    gather(&all, x);
    gather(&all, y);
    return fold(level(&all));
}

static bool fit_together(struct cord_part x, struct cord_part y) {
    return CORD_IS_STRING(x.cord) && CORD_IS_STRING(y.cord) && x.length <= CORD_SHORT &&
           y.length <= CORD_SHORT - x.length;
}

static struct cord_part together(struct cord_part x, struct cord_part y) {
    return cord_copied_together(x.cord, x.length, y.cord, y.length);
}

struct cord_part cord_join(struct cord_part x, struct cord_part y) {
    if (fit_together(x, y))
        return together(x, y);
    if (cord_is(CORD_KIND_PAIR, x.cord) && fit_together(cord_right(x.cord), y))
        return cord_pair(cord_left(x.cord), together(cord_right(x.cord), y));
    if (cord_is(CORD_KIND_PAIR, y.cord) && fit_together(x, cord_left(y.cord)))
        return cord_pair(together(x, cord_left(y.cord)), cord_right(y.cord));
    return attach(x, y);
}

CORD CORD_balance(CORD x) {
    if (x == CORD_EMPTY || cord_level_parts(x) == 1)
        return x;
    struct parts all = {0};
    gather(&all, cord_part(x));
    return fold(level(&all)).cord;
}
