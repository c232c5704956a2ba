/* Comparing cords, as far as both lie in memory at a time. No locks. */
#include "cord/position.h"

#include <string.h>

int CORD_ncmp(CORD x, size_t x_start, CORD y, size_t y_start, size_t len) {
    CORD_pos p, q;
    CORD_set_pos(p, x, x_start);
    CORD_set_pos(q, y, y_start);
    while (len && CORD_pos_valid(p) && CORD_pos_valid(q)) {
        struct cord_window left = cord_window(p), right = cord_window(q);
        size_t count = left.ahead < right.ahead ? left.ahead : right.ahead;
        if (count > len)
            count = len;
        int order = memcmp(left.current, right.current, count);
        if (order)
            return order;
        len -= count;
        cord_skip_ahead(p, count);
        cord_skip_ahead(q, count);
    }
    return len ? CORD_pos_valid(p) - CORD_pos_valid(q) : 0;
}

int CORD_cmp(CORD x, CORD y) { return x == y ? 0 : CORD_ncmp(x, 0, y, 0, SIZE_MAX); }
