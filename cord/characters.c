/* Cords to characters and C strings to cords. No locks. */
#include "cord/position.h"

#include <string.h>

char CORD_fetch(CORD x, size_t i) {
    if (x != CORD_EMPTY && CORD_IS_STRING(x))
        return x[i];
    if (x == CORD_EMPTY || i >= cord_node(x)->length)
        cord_fail("there is no such character");
    while (cord_is(CORD_KIND_PAIR, x)) {
        struct cord_part left = cord_left(x);
        if (i < left.length) {
            x = left.cord;
        } else {
            x = cord_right(x).cord;
            i -= left.length;
        }
    }
    const char *bytes = cord_leaf_bytes(x);
    return bytes ? bytes[i] : cord_function_call(x, i);
}

char *CORD_to_char_star(CORD x) {
    char *string = cord_allocate_characters(CORD_len(x) + 1), *end = string;
    CORD_pos p;
    CORD_set_pos(p, x, 0);
    while (CORD_pos_valid(p)) {
        struct cord_window window = cord_window(p);
        end = mempcpy(end, window.current, window.ahead);
        cord_skip_ahead(p, window.ahead);
    }
    *end = '\0';
    return string;
}

const char *CORD_to_const_char_star(CORD x) {
    if (x == CORD_EMPTY)
        return "";
    const char *bytes = cord_leaf_bytes(x);
    if (bytes && (CORD_IS_STRING(x) || bytes[cord_node(x)->length] == '\0'))
        return bytes;
    return CORD_to_char_star(x);
}

CORD CORD_from_char_star(const char *s) {
    return *s ? cord_copied_together(s, strlen(s), "", 0).cord : CORD_EMPTY;
}

int CORD_put(CORD x, FILE *f) {
    CORD_pos p;
    CORD_set_pos(p, x, 0);
    while (CORD_pos_valid(p)) {
        struct cord_window window = cord_window(p);
        if (fwrite(window.current, 1, window.ahead, f) != window.ahead)
            return EOF;
        cord_skip_ahead(p, window.ahead);
    }
    return 1;
}
