/* Parts of cords: pairs are taken apart on the way down and joined on the way up; leaves are
 * shared, except that short texts are copied, lest a few characters keep a long text in memory. No
 * locks. */
#include "cord/join.h"

/* Few characters of a function's, as it tells them now. */
static struct cord_part called(CORD function, size_t start, size_t length) {
    char bytes[CORD_SHORT];
    for (size_t i = 0; i < length; i++)
        bytes[i] = cord_function_call(function, start + i);
    return cord_of_bytes(bytes, length);
}

static struct cord_part leaf_part(CORD leaf, size_t start, size_t length) {
    const char *bytes = cord_leaf_bytes(leaf);
    if (bytes)
        return length <= CORD_SHORT ? cord_of_bytes(bytes + start, length)
                                    : cord_slice(bytes + start, length);
    const struct cord_function *function = (const struct cord_function *)leaf;
    if (length <= CORD_SHORT)
        return called(leaf, start, length);
    return cord_function(function->fn, function->data, function->offset + start, length);
}

/* length is not 0 and x is at least start + length long. */
static struct cord_part part(struct cord_part x, size_t start, size_t length) {
    if (length == x.length)
        return x;
    if (!cord_is(CORD_KIND_PAIR, x.cord))
        return leaf_part(x.cord, start, length);
    struct cord_part left = cord_left(x.cord), right = cord_right(x.cord);
    if (start >= left.length)
        return part(right, start - left.length, length);
    if (length <= left.length - start)
        return part(left, start, length);
    size_t in_left = left.length - start;
    return cord_join(part(left, start, in_left), part(right, 0, length - in_left));
}

CORD CORD_substr(CORD x, size_t i, size_t n) {
    size_t length = CORD_len(x);
    if (n == 0 || i >= length)
        return CORD_EMPTY;
    return part((struct cord_part){x, length}, i, n < length - i ? n : length - i).cord;
}
