/* Runs the case that is named; --list prints all of them with what they lose. */
#include "corpus.h"

#include <stdio.h>
#include <string.h>

static const struct leak_case *const themes[] = {blocks_cases,  threads_cases, memory_cases,
                                                 process_cases, clean_cases,   classes_cases};
void *volatile corpus_kept[16];

enum { THEMES = sizeof themes / sizeof *themes, WIPED = 8192 };

/* What the case's frames held is no business of the frames that come after them. */
__attribute__((noinline)) static void wipe_stack(void) {
    volatile char frame[WIPED];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = 0;
}

static int list(void) {
    for (size_t i = 0; i < THEMES; i++)
        for (const struct leak_case *one = themes[i]; one->name; one++)
            printf("%s %ld %ld %s\n", one->name, one->blocks, one->bytes,
                   one->in_child ? "child" : "process");
    return 0;
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "--list") == 0)
        return list();
    for (size_t i = 0; i < THEMES && count == 2; i++)
        for (const struct leak_case *one = themes[i]; one->name; one++)
            if (strcmp(arguments[1], one->name) == 0) {
                one->run();
                wipe_stack();
                return 0;
            }
    fprintf(stderr, "usage: corpus CASE | --list\n");
    return 2;
}
