/* Fetching a format's arguments: first all of it is read to know the types, because with positions
 * the first argument may be the last that is mentioned. */
#include "cord/arguments.h"

#include "cord/tree.h"

#include <string.h>

/* The type of each argument, the first at [1]. */
struct types {
    size_t count, room;
    unsigned char *each;
};

/* Arguments that a format does not mention, before one that it does, are taken for ints. */
static bool note(struct types *types, size_t argument, enum argument_type type) {
    if (argument >= types->room) {
        size_t room = 2 * argument;
        unsigned char *larger = (unsigned char *)cord_allocate_characters(room);
        memcpy(larger, types->each, types->room);
        memset(larger + types->room, ARGUMENT_NONE, room - types->room);
        types->each = larger;
        types->room = room;
    }
    if (argument > types->count)
        types->count = argument;
    bool same = types->each[argument] == ARGUMENT_NONE || types->each[argument] == type;
    types->each[argument] = type;
    return same;
}

static bool note_conversion(struct types *types, const struct conversion *conversion) {
    const struct format_number *width = &conversion->width, *precision = &conversion->precision;
    return (!width->argument || note(types, width->argument, ARGUMENT_INT)) &&
           (!precision->argument || note(types, precision->argument, ARGUMENT_INT)) &&
           (!conversion->argument || note(types, conversion->argument, conversion->type));
}

static bool read_types(struct format format, struct types *types) {
    struct conversion conversion;
    while (format.at += format_literal(&format), format.at < format.end)
        if (!format_conversion(&format, &conversion) || !note_conversion(types, &conversion))
            return false;
    return true;
}

union argument *arguments_fetch(struct format format, va_list list) {
    unsigned char few[16] = {ARGUMENT_NONE};
    struct types types = {0, sizeof few, few};
    if (!read_types(format, &types))
        return NULL;
    union argument *arguments = cord_allocate((types.count + 1) * sizeof *arguments);
    for (size_t i = 1; i <= types.count; i++)
        switch ((enum argument_type)types.each[i]) {
        case ARGUMENT_NONE:
        case ARGUMENT_INT:
            arguments[i].integer = va_arg(list, int);
            break;
        case ARGUMENT_LONG:
            arguments[i].long_integer = va_arg(list, long);
            break;
        case ARGUMENT_LONG_LONG:
            arguments[i].long_long_integer = va_arg(list, long long);
            break;
        case ARGUMENT_DOUBLE:
            arguments[i].real = va_arg(list, double);
            break;
        case ARGUMENT_LONG_DOUBLE:
            arguments[i].long_real = va_arg(list, long double);
            break;
        case ARGUMENT_WIDE_CHARACTER:
            arguments[i].wide_character = va_arg(list, wint_t);
            break;
        case ARGUMENT_POINTER:
            arguments[i].pointer = va_arg(list, void *);
            break;
        }
    return arguments;
}
