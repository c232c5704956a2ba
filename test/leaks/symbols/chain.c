/* A block is lost in a function that is inlined, or not, as the compiler likes. */
#include <stdlib.h>
#include <string.h>

static char *inner(int bytes) {
    char *block = malloc((size_t)bytes);
    memset(block, 1, (size_t)bytes);
    return block;
}

__attribute__((noinline)) static char *middle(int bytes) {
    char *block = inner(bytes + 1);
    block[0] = 2;
    return block;
}

__attribute__((noinline)) static int outer(int count) {
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += middle(100)[1];
    return sum;
}

int main(int count, char **arguments) {
    int sum = outer(count + 2);
    return arguments[0][0] == 0 ? sum : 0;
}
