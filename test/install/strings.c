#include <gc/cord.h>
#include <stdio.h>

int main(void) {
    CORD text = CORD_EMPTY;
    for (int i = 0; i < 1000; i++)
        text = CORD_cat(text, "a long string, ");
    printf("%zu %c\n", CORD_len(text), CORD_fetch(text, 9000));
    return 0;
}
