/* Formatted printing to cords. What is not %r or %n is left to snprintf, one conversion at a time.
 * No locks, but those of stdio where a file is printed to. */
#include "gc/cord.h"

#include "cord/append.h"
#include "cord/arguments.h"
#include "cord/tree.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

struct output {
    CORD_ec text;
    size_t length;
    const union argument *arguments;
    int error; /* errno as %m shall tell it */
};

/* A conversion for snprintf, its width and precision written out. */
struct single {
    char text[48];
    enum argument_type type;
};

static void append_cord(struct output *output, CORD x, size_t length) {
    CORD_ec_append_cord(output->text, x);
    output->length += length;
}

/* snprintf of one conversion and its argument. */
static int print_single(char *buffer, size_t room, const struct single *single,
                        const union argument *argument) {
    switch (single->type) {
    case ARGUMENT_NONE:
        return snprintf(buffer, room, single->text, 0);
    case ARGUMENT_INT:
        return snprintf(buffer, room, single->text, argument->integer);
    case ARGUMENT_LONG:
        return snprintf(buffer, room, single->text, argument->long_integer);
    case ARGUMENT_LONG_LONG:
        return snprintf(buffer, room, single->text, argument->long_long_integer);
    case ARGUMENT_DOUBLE:
        return snprintf(buffer, room, single->text, argument->real);
    case ARGUMENT_LONG_DOUBLE:
        return snprintf(buffer, room, single->text, argument->long_real);
    case ARGUMENT_WIDE_CHARACTER:
        return snprintf(buffer, room, single->text, argument->wide_character);
    case ARGUMENT_POINTER:
        return snprintf(buffer, room, single->text, argument->pointer);
    }
    return -1;
}

static bool append_single(struct output *output, const struct single *single,
                          const union argument *argument) {
    char few[CORD_BUFSZ], *buffer = few;
    errno = output->error;
    int length = print_single(few, sizeof few, single, argument);
    if (length < 0)
        return false;
    if ((size_t)length >= sizeof few) {
        buffer = cord_allocate_characters((size_t)length + 1);
        errno = output->error;
        length = print_single(buffer, (size_t)length + 1, single, argument);
    }
    cord_append(output->text, buffer, (size_t)length);
    output->length += (size_t)length;
    return true;
}

/* What a * stands for. A negative width is a flag - and a width, a negative precision is none. */
static bool settle(const struct output *output, struct conversion *conversion) {
    struct format_number *width = &conversion->width, *precision = &conversion->precision;
    if (precision->argument)
        precision->value = output->arguments[precision->argument].integer;
    if (precision->value < 0)
        precision->given = false;
    if (width->argument)
        width->value = output->arguments[width->argument].integer;
    if (width->value >= 0)
        return true;
    if (!strchr(conversion->flags, '-'))
        strcat(conversion->flags, "-");
    if (width->value == INT_MIN)
        return false;
    width->value = -width->value;
    return true;
}

static struct single single_of(const struct conversion *conversion) {
    struct single single = {.type = conversion->type};
    char *at = single.text;
    at += sprintf(at, "%%%s", conversion->flags);
    if (conversion->width.given)
        at += sprintf(at, "%d", conversion->width.value);
    if (conversion->precision.given)
        at += sprintf(at, ".%d", conversion->precision.value);
    sprintf(at, "%s%c", conversion->modifier, conversion->verb);
    return single;
}

static void append_padding(struct output *output, size_t count) {
    append_cord(output, CORD_chars(' ', count), count);
}

static void print_cord(struct output *output, const struct conversion *conversion, CORD x) {
    size_t length = CORD_len(x), padding = 0;
    if (conversion->precision.given && length > (size_t)conversion->precision.value) {
        length = (size_t)conversion->precision.value;
        x = CORD_substr(x, 0, length);
    }
    if ((size_t)conversion->width.value > length)
        padding = (size_t)conversion->width.value - length;
    bool left = strchr(conversion->flags, '-');
    if (!left)
        append_padding(output, padding);
    append_cord(output, x, length);
    if (left)
        append_padding(output, padding);
}

/* %n */
static void store_length(const struct output *output, const struct conversion *conversion,
                         void *where) {
    if (strcmp(conversion->modifier, "hh") == 0)
        *(signed char *)where = (signed char)output->length;
    else if (conversion->modifier[0] == 'h')
        *(short *)where = (short)output->length;
    else if (conversion->modifier[0] == '\0')
        *(int *)where = (int)output->length;
    else
        *(long *)where = (long)output->length;
}

static bool print_conversion(struct output *output, struct conversion *conversion) {
    const union argument *argument = &output->arguments[conversion->argument];
    if (!settle(output, conversion)) {
        errno = EOVERFLOW;
        return false;
    }
    if (conversion->verb == 'r') {
        print_cord(output, conversion, argument->pointer);
    } else if (conversion->verb == 'n') {
        store_length(output, conversion, argument->pointer);
    } else if (conversion->verb == '%') {
        cord_append(output->text, "%", 1);
        output->length++;
    } else {
        struct single single = single_of(conversion);
        return append_single(output, &single, argument);
    }
    return true;
}

static bool print_all(struct output *output, struct format format) {
    for (;;) {
        struct conversion conversion;
        size_t literal = format_literal(&format);
        cord_append(output->text, format.at, literal);
        output->length += literal;
        format.at += literal;
        if (format.at == format.end)
            return true;
        if (!format_conversion(&format, &conversion) || !print_conversion(output, &conversion))
            return false;
    }
}

int CORD_vsprintf(CORD *out, CORD format, va_list args) {
    struct output output = {.error = errno};
    struct format parsed = format_start(CORD_to_const_char_star(format), CORD_len(format));
    CORD_ec_init(output.text);
    output.arguments = arguments_fetch(parsed, args);
    if (!output.arguments) {
        errno = EINVAL;
        return -1;
    }
    if (!print_all(&output, parsed))
        return -1;
    if (output.length > INT_MAX) {
        errno = EOVERFLOW;
        return -1;
    }
    *out = CORD_ec_to_cord(output.text);
    return (int)output.length;
}

int CORD_vfprintf(FILE *f, CORD format, va_list args) {
    CORD text;
    int length = CORD_vsprintf(&text, format, args);
    return length >= 0 && CORD_put(text, f) == EOF ? -1 : length;
}

int CORD_vprintf(CORD format, va_list args) { return CORD_vfprintf(stdout, format, args); }

int CORD_sprintf(CORD *out, CORD format, ...) {
    va_list args;
    va_start(args, format);
    int length = CORD_vsprintf(out, format, args);
    va_end(args);
    return length;
}

int CORD_fprintf(FILE *f, CORD format, ...) {
    va_list args;
    va_start(args, format);
    int length = CORD_vfprintf(f, format, args);
    va_end(args);
    return length;
}

int CORD_printf(CORD format, ...) {
    va_list args;
    va_start(args, format);
    int length = CORD_vprintf(format, args);
    va_end(args);
    return length;
}
