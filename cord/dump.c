/* Printing how a cord is represented: a line for each part, halves indented below their pair. */
#include "cord/file.h"

#include <ctype.h>

enum { SHOWN_MOST = 60 };

static void dump_text(const char *bytes, size_t length) {
    putchar('"');
    for (size_t i = 0; i < length && i < SHOWN_MOST; i++) {
        unsigned char character = (unsigned char)bytes[i];
        if (character == '"' || character == '\\')
            printf("\\%c", character);
        else if (isprint(character))
            putchar(character);
        else
            printf("\\%03o", character);
    }
    puts(length > SHOWN_MOST ? "\"..." : "\"");
}

static void dump(struct cord_part x, int indent) {
    printf("%*s", indent, "");
    if (cord_is(CORD_KIND_PAIR, x.cord)) {
        printf("pair, %zu characters, depth %u, level parts %u\n", x.length, cord_depth(x.cord),
               cord_level_parts(x.cord));
        dump(cord_left(x.cord), indent + 1);
        dump(cord_right(x.cord), indent + 1);
        return;
    }
    const char *bytes = cord_leaf_bytes(x.cord);
    if (bytes) {
        printf("%s, %zu characters: ", CORD_IS_STRING(x.cord) ? "string" : "slice", x.length);
        dump_text(bytes, x.length);
    } else {
        printf("%s, %zu characters from %zu on\n", cord_is_file(x.cord) ? "file" : "function",
               x.length, ((const struct cord_function *)x.cord)->offset);
    }
}

void CORD_dump(CORD x) {
    if (x == CORD_EMPTY)
        puts("empty");
    else
        dump(cord_part(x), 0);
}
