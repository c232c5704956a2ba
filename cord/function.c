/* Leaves whose characters a function tells. No locks. */
#include "cord/tree.h"

#include <string.h>

CORD CORD_from_fn(CORD_fn fn, void *client_data, size_t len) {
    return len ? cord_function(fn, client_data, 0, len).cord : CORD_EMPTY;
}

static char always(size_t i, void *character) {
    (void)i;
    return (char)(uintptr_t)character;
}

CORD CORD_chars(char c, size_t i) {
    if (i == 0 || i > CORD_SHORT || c == '\0')
        return CORD_from_fn(always, (void *)(uintptr_t)(unsigned char)c, i);
    char text[CORD_SHORT];
    memset(text, c, i);
    return cord_copied_together(text, i, "", 0).cord;
}
