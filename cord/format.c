/* Reading printf formats; see format.h. What is accepted is what glibc's printf has, and %r. */
#include "cord/format.h"

#include <limits.h>
#include <string.h>

/* POSIX demands that a program may give nine arguments by position; glibc's NL_ARGMAX is this. */
enum { POSITION_MOST = 4096 };

struct format format_start(const char *text, size_t length) {
    return (struct format){text, text + length, 1, false, false};
}

size_t format_literal(const struct format *format) {
    size_t left = (size_t)(format->end - format->at);
    const char *percent = memchr(format->at, '%', left);
    return percent ? (size_t)(percent - format->at) : left;
}

static char peek(const struct format *format) {
    return format->at < format->end ? *format->at : '\0';
}

static bool take(struct format *format, char character) {
    if (format->at == format->end || *format->at != character)
        return false;
    format->at++;
    return true;
}

static bool is_digit(char character) { return character >= '0' && character <= '9'; }

/* A number, 0 if there is none; false if no int holds it. */
static bool take_number(struct format *format, int *number) {
    long value = 0;
    while (is_digit(peek(format))) {
        value = 10 * value + (*format->at++ - '0');
        if (value > INT_MAX)
            return false;
    }
    *number = (int)value;
    return true;
}

/* A position (digits and a $), if one stands here; otherwise 0, and nothing is taken. */
static bool take_position(struct format *format, size_t *position) {
    const char *start = format->at;
    int number = 0;
    *position = 0;
    if (take_number(format, &number) && format->at > start && take(format, '$')) {
        *position = (size_t)number;
        return number > 0 && number <= POSITION_MOST;
    }
    format->at = start;
    return true;
}

/* The argument at a position, or the next one. A format has the ones or the others. */
static bool choose_argument(struct format *format, size_t position, size_t *argument) {
    if (position)
        format->by_position = true;
    else
        format->by_order = true;
    *argument = position ? position : format->next_argument++;
    return !format->by_position || !format->by_order;
}

static bool take_width_or_precision(struct format *format, struct format_number *number) {
    size_t position;
    if (!take(format, '*'))
        return take_number(format, &number->value);
    return take_position(format, &position) && choose_argument(format, position, &number->argument);
}

static void take_flags(struct format *format, char *flags) {
    size_t count = 0;
    while (peek(format) && strchr("-+ #0'I", peek(format))) {
        if (!memchr(flags, *format->at, count))
            flags[count++] = *format->at;
        format->at++;
    }
    flags[count] = '\0';
}

static void take_modifier(struct format *format, char *modifier) {
    size_t count = 0;
    if (peek(format) && strchr("hlqLjzZt", peek(format))) {
        modifier[count++] = *format->at++;
        if ((modifier[0] == 'h' || modifier[0] == 'l') && take(format, modifier[0])) {
            modifier[1] = modifier[0];
            count++;
        }
    }
    modifier[count] = '\0';
}

/* size_t, ptrdiff_t and intmax_t are long wherever this library is built. */
static enum argument_type integer_type(const char *modifier) {
    _Static_assert(sizeof(size_t) == sizeof(long) && sizeof(ptrdiff_t) == sizeof(long),
                   "they are fetched alike");
    if (modifier[0] == '\0' || modifier[0] == 'h')
        return ARGUMENT_INT;
    if (modifier[0] == 'L' || modifier[0] == 'q' || modifier[1] == 'l')
        return ARGUMENT_LONG_LONG;
    return ARGUMENT_LONG;
}

/* What a verb takes; false for characters that are none. */
static bool verb_type(char verb, const char *modifier, enum argument_type *type) {
    if (verb == '\0')
        return false;
    if (strchr("diouxXbB", verb))
        *type = integer_type(modifier);
    else if (strchr("aAeEfFgG", verb))
        *type = modifier[0] == 'L' ? ARGUMENT_LONG_DOUBLE : ARGUMENT_DOUBLE;
    else if (verb == 'C' || (verb == 'c' && modifier[0] == 'l'))
        *type = ARGUMENT_WIDE_CHARACTER;
    else if (verb == 'c')
        *type = ARGUMENT_INT;
    else if (strchr("sSpnr", verb))
        *type = ARGUMENT_POINTER;
    else if (strchr("m%", verb))
        *type = ARGUMENT_NONE;
    else
        return false;
    return true;
}

bool format_conversion(struct format *format, struct conversion *conversion) {
    size_t position;
    memset(conversion, 0, sizeof *conversion);
    format->at++;
    if (!take_position(format, &position))
        return false;
    take_flags(format, conversion->flags);
    conversion->width.given = peek(format) == '*' || is_digit(peek(format));
    if (!take_width_or_precision(format, &conversion->width))
        return false;
    conversion->precision.given = take(format, '.');
    if (conversion->precision.given && !take_width_or_precision(format, &conversion->precision))
        return false;
    take_modifier(format, conversion->modifier);
    conversion->verb = peek(format);
    if (!verb_type(conversion->verb, conversion->modifier, &conversion->type))
        return false;
    format->at++;
    return conversion->type == ARGUMENT_NONE ||
           choose_argument(format, position, &conversion->argument);
}
