/* Cords one after the other: checks for empty ones, and joins. No locks. */
#include "cord/join.h"

#include <stdarg.h>

/* The C strings of one character, by its number. */
#define FOUR(c)                                                                                    \
    {(char)(c)}, {(char)((c) + 1)}, {(char)((c) + 2)}, { (char)((c) + 3) }
#define SIXTEEN(c) FOUR(c), FOUR((c) + 4), FOUR((c) + 8), FOUR((c) + 12)
#define SIXTY_FOUR(c) SIXTEEN(c), SIXTEEN((c) + 16), SIXTEEN((c) + 32), SIXTEEN((c) + 48)
static const char characters[256][2] = {SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(128),
                                        SIXTY_FOUR(192)};

CORD CORD_cat(CORD x, CORD y) {
    if (x == CORD_EMPTY)
        return y;
    if (y == CORD_EMPTY)
        return x;
    return cord_join(cord_part(x), cord_part(y)).cord;
}

CORD CORD_cat_char_star(CORD x, const char *y, size_t leny) {
    if (leny == 0)
        return x;
    if (x == CORD_EMPTY)
        return y;
    return cord_join(cord_part(x), (struct cord_part){y, leny}).cord;
}

CORD CORD_cat_char(CORD x, char c) {
    if (c == '\0')
        return CORD_cat(x, (CORD)&cord_one_nul);
    return CORD_cat_char_star(x, characters[(unsigned char)c], 1);
}

CORD CORD_catn(int n, ...) {
    va_list cords;
    CORD all = CORD_EMPTY;
    va_start(cords, n);
    for (int i = 0; i < n; i++)
        all = CORD_cat(all, va_arg(cords, CORD));
    va_end(cords);
    return all;
}
