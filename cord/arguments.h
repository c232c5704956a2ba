/* The arguments of a format, fetched once and then taken in any order. No locks. */
#ifndef TITHE_CORD_ARGUMENTS_H
#define TITHE_CORD_ARGUMENTS_H

#include "cord/format.h"

#include <stdarg.h>
#include <wchar.h>

union argument {
    int integer;
    long long_integer;
    long long long_long_integer;
    double real;
    long double long_real;
    wint_t wide_character;
    void *pointer;
};

/* The arguments that a format takes, the first at [1]; NULL if the format is wrong. */
union argument *arguments_fetch(struct format format, va_list list);

#endif
