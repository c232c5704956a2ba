/*
 * The work size of a benchmark, read from its command line: --NAME NUMBER pairs and --NAME flags
 * over defaults that the benchmark has already put in place.
 *
 * Guarantees that every number is a whole number within its bounds; anything else on the command
 * line ends the program with status 2 and a list of the arguments. Allocates nothing.
 */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Exactly one of number and flag is set. */
struct argument {
    const char *name;
    const char *meaning;
    size_t *number;
    size_t least;
    bool *flag;
};

/* Sizes and counts go through random_below(), which takes 32 bits. */
#define ARGUMENT_MOST UINT32_MAX

static _Noreturn inline void refuse_arguments(const char *program, const struct argument *arguments,
                                              size_t count) {
    fprintf(stderr, "usage: %s [--NAME NUMBER | --NAME]...\n", program);
    for (size_t i = 0; i < count; i++) {
        const struct argument *argument = &arguments[i];
        if (argument->flag)
            fprintf(stderr, "  --%-22s %s\n", argument->name, argument->meaning);
        else
            fprintf(stderr, "  --%-15s NUMBER %s (at least %zu; now %zu)\n", argument->name,
                    argument->meaning, argument->least, *argument->number);
    }
    exit(2);
}

static inline const struct argument *find_argument(const char *text,
                                                   const struct argument *arguments, size_t count) {
    if (strncmp(text, "--", 2) != 0)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (strcmp(text + 2, arguments[i].name) == 0)
            return &arguments[i];
    return NULL;
}

/* The text must start with a digit because strtoumax() would take a sign and turn it around. */
static inline bool read_number(const char *text, const struct argument *argument) {
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    uintmax_t number = strtoumax(text, &end, 10);
    if (errno || *end || number < argument->least || number > ARGUMENT_MOST)
        return false;
    *argument->number = number;
    return true;
}

static inline void read_arguments(char **words, const struct argument *arguments, size_t count) {
    const char *program = *words++;
    while (*words) {
        const struct argument *argument = find_argument(*words++, arguments, count);
        if (!argument)
            refuse_arguments(program, arguments, count);
        if (argument->flag)
            *argument->flag = true;
        else if (!read_number(*words++, argument))
            refuse_arguments(program, arguments, count);
    }
}

#define ARGUMENT_COUNT(arguments) (sizeof(arguments) / sizeof((arguments)[0]))

#endif
