/* Reading printf formats: conversions, and which arguments they take. No state, no locks. */
#ifndef TITHE_CORD_FORMAT_H
#define TITHE_CORD_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

/* What va_arg has to fetch. Signed and unsigned are fetched alike. */
enum argument_type {
    ARGUMENT_NONE,
    ARGUMENT_INT,
    ARGUMENT_LONG,
    ARGUMENT_LONG_LONG,
    ARGUMENT_DOUBLE,
    ARGUMENT_LONG_DOUBLE,
    ARGUMENT_WIDE_CHARACTER,
    ARGUMENT_POINTER
};

/* A number that is written in the format, or the number of the argument that tells it. */
struct format_number {
    bool given;
    int value;
    size_t argument; /* 1 is the first; 0: it is in value */
};

/* One conversion: %[flags][width][.precision][modifier]verb */
struct conversion {
    char flags[8]; /* each once */
    struct format_number width, precision;
    char modifier[3];
    char verb;
    enum argument_type type;
    size_t argument;
};

/* A format, what of it is still to be read, and how its arguments are counted. */
struct format {
    const char *at, *end;
    size_t next_argument;
    bool by_position; /* %1$d; then all of them are */
    bool by_order;
};

struct format format_start(const char *text, size_t length);

/* How many characters come before the next conversion or the end. Not read yet: at += this. */
size_t format_literal(const struct format *format);

/* Reads a conversion, on whose % the format must be; false if it is none that there is. */
bool format_conversion(struct format *format, struct conversion *conversion);

#endif
