/* Finding characters and cords in cords, window by window. No locks. */
#include "cord/position.h"

#include <string.h>

size_t CORD_chr(CORD x, size_t i, int c) {
    CORD_pos p;
    CORD_set_pos(p, x, i);
    while (CORD_pos_valid(p)) {
        struct cord_window window = cord_window(p);
        const char *found = memchr(window.current, c, window.ahead);
        if (found)
            return CORD_pos_to_index(p) + (size_t)(found - window.current);
        cord_skip_ahead(p, window.ahead);
    }
    return CORD_NOT_FOUND;
}

size_t CORD_rchr(CORD x, size_t i, int c) {
    CORD_pos p;
    CORD_set_pos(p, x, i);
    while (CORD_pos_valid(p)) {
        struct cord_window window = cord_window(p);
        const char *first = window.current - window.before;
        const char *found = memrchr(first, c, window.before + 1);
        if (found)
            return CORD_pos_to_index(p) - (size_t)(window.current - found);
        cord_skip_back(p, window.before + 1);
    }
    return CORD_NOT_FOUND;
}

/* A text to be found, and for each of its beginnings how long the longest proper beginning of it
 * is that it also ends with: how much still matches where the next character does not (the
 * algorithm of Knuth, Morris and Pratt). */
struct pattern {
    const char *text;
    size_t length;
    size_t *borders;
};

/* How much matches after one more character, which was not all of it before. */
static size_t advance(const struct pattern *pattern, size_t matched, char character) {
    while (matched && pattern->text[matched] != character)
        matched = pattern->borders[matched - 1];
    return matched + (pattern->text[matched] == character);
}

static struct pattern pattern_of(CORD s, size_t length) {
    struct pattern pattern = {CORD_to_const_char_star(s), length, NULL};
    pattern.borders = (size_t *)cord_allocate_characters(length * sizeof *pattern.borders);
    pattern.borders[0] = 0;
    for (size_t i = 1; i < length; i++)
        pattern.borders[i] = advance(&pattern, pattern.borders[i - 1], pattern.text[i]);
    return pattern;
}

/* How far one has to go in a window to complete the pattern; 0 if it does not come to that. */
static size_t completed(const struct pattern *pattern, size_t *matched, struct cord_window window) {
    for (size_t k = 0; k < window.ahead; k++) {
        if (*matched == 0) {
            const char *first = memchr(window.current + k, pattern->text[0], window.ahead - k);
            if (!first)
                return 0;
            k = (size_t)(first - window.current);
        }
        *matched = advance(pattern, *matched, window.current[k]);
        if (*matched == pattern->length)
            return k + 1;
    }
    return 0;
}

size_t CORD_str(CORD x, size_t start, CORD s) {
    size_t x_length = CORD_len(x), length = CORD_len(s), matched = 0;
    if (start > x_length || length > x_length - start)
        return CORD_NOT_FOUND;
    if (length == 0)
        return start;
    struct pattern pattern = pattern_of(s, length);
    CORD_pos p;
    CORD_set_pos(p, x, start);
    while (CORD_pos_valid(p)) {
        struct cord_window window = cord_window(p);
        size_t end = completed(&pattern, &matched, window);
        if (end)
            return CORD_pos_to_index(p) + end - length;
        cord_skip_ahead(p, window.ahead);
    }
    return CORD_NOT_FOUND;
}
