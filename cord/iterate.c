/* Calling a function for each character. No locks. */
#include "cord/position.h"

#include <string.h>

/* The rest of a leaf that is a C string as it stands. */
static const char *rest_of_leaf(CORD_pos p, struct cord_window window) {
    bool whole = cord_window_is_leaf(p) && window.current[window.ahead] == '\0' &&
                 !memchr(window.current, '\0', window.ahead);
    return whole ? window.current : NULL;
}

int CORD_iter5(CORD x, size_t i, CORD_iter_fn f1, CORD_batched_iter_fn f2, void *client_data) {
    CORD_pos p;
    CORD_set_pos(p, x, i);
    while (CORD_pos_valid(p)) {
        struct cord_window window = cord_window(p);
        const char *string = f2 != CORD_NO_FN ? rest_of_leaf(p, window) : NULL;
        if (string && f2(string, client_data))
            return 1;
        for (size_t k = 0; !string && k < window.ahead; k++)
            if (f1(window.current[k], client_data))
                return 1;
        cord_skip_ahead(p, window.ahead);
    }
    return 0;
}

int(CORD_iter)(CORD x, CORD_iter_fn f1, void *client_data) {
    return CORD_iter5(x, 0, f1, CORD_NO_FN, client_data);
}

int CORD_riter4(CORD x, size_t i, CORD_iter_fn f1, void *client_data) {
    CORD_pos p;
    for (CORD_set_pos(p, x, i); CORD_pos_valid(p); CORD_prev(p))
        if (f1(CORD_pos_fetch(p), client_data))
            return 1;
    return 0;
}

int CORD_riter(CORD x, CORD_iter_fn f1, void *client_data) {
    size_t length = CORD_len(x);
    return length ? CORD_riter4(x, length - 1, f1, client_data) : 0;
}
