#!/usr/bin/env bash
# gcc -O2 on a generated C file of several hundred functions: the object must be, byte for byte, the one that
# the native compiler makes, and the program linked from it must print the same.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require gcc

functions=240
{
    cat <<'END'
#include <stdint.h>
#include <stdio.h>
struct node { struct node *next; uint32_t value; double weight; } nodes[8];
uint32_t table[256];
END
    random_numbers "$functions" 17 | awk -v template="$(<"$workloads/function.c.in")" '{
        text = template
        gsub(/@NUMBER@/, NR, text)
        gsub(/@SEED@/, $1, text)
        gsub(/@SMALL@/, $1 % 23, text)
        gsub(/@EARLIER@/, NR - 1 - $1 % 20, text)
        gsub(/@EARLIEST@/, NR - 20 - $1 % 17, text)
        print text
    }'
    echo 'int main(void) {'
    echo '    uint32_t sum = 1;'
    echo '    for (unsigned i = 0; i < 256; i++)'
    echo '        table[i] = i * 2654435761u;'
    echo '    for (unsigned i = 0; i < 8; i++)'
    echo '        nodes[i] = (struct node){i < 7 ? &nodes[i + 1] : NULL, i * i, i / 2.0};'
    for ((number = 1; number <= functions; number++)); do
        echo "    sum = function$number(sum);"
    done
    echo '    printf("%u", sum);'
    echo '}'
} >large.c

gcc -O2 -g -Wall -c large.c -o large.o
mv large.o native.o
serve gcc -O2 -g -Wall -c large.c -o large.o
cmp native.o large.o
gcc native.o -o native
serve gcc large.o -o served
expect 'result' "$(./native)" "$(./served)"
