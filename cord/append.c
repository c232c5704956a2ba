/* Extensible cords. What is appended is kept in the structure until it fills it. No locks. */
#include "cord/append.h"

#include "cord/tree.h"

#include <string.h>

void CORD_ec_flush_buf(CORD_ec x) {
    size_t length = (size_t)(x->ec_bufptr - x->ec_buf);
    if (length == 0)
        return;
    CORD kept = cord_of_bytes(x->ec_buf, length).cord;
    x->ec_cord = CORD_IS_STRING(kept) ? CORD_cat_char_star(x->ec_cord, kept, length)
                                      : CORD_cat(x->ec_cord, kept);
    x->ec_bufptr = x->ec_buf;
}

void CORD_ec_append_cord(CORD_ec x, CORD s) {
    CORD_ec_flush_buf(x);
    x->ec_cord = CORD_cat(x->ec_cord, s);
}

void cord_append(CORD_ec x, const char *bytes, size_t length) {
    size_t room = CORD_BUFSZ - (size_t)(x->ec_bufptr - x->ec_buf);
    if (length > room) {
        CORD_ec_flush_buf(x);
        if (length > CORD_BUFSZ) {
            x->ec_cord = CORD_cat(x->ec_cord, cord_of_bytes(bytes, length).cord);
            return;
        }
    }
    x->ec_bufptr = mempcpy(x->ec_bufptr, bytes, length);
}
