/* Reading .eh_frame_hdr, .eh_frame and its little programs; see rules.h. The format is that of the
 * Linux Standard Base (Exception Frames) and DWARF 5, chapter 6.4.
 */
#include "leak/rules.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* Encodings of pointers. */
enum {
    ENCODED_ABSOLUTE = 0x00,
    ENCODED_ULEB = 0x01,
    ENCODED_U2 = 0x02,
    ENCODED_U4 = 0x03,
    ENCODED_U8 = 0x04,
    ENCODED_SLEB = 0x09,
    ENCODED_S2 = 0x0a,
    ENCODED_S4 = 0x0b,
    ENCODED_S8 = 0x0c,
    ENCODED_FORMAT = 0x0f,
    ENCODED_RELATIVE = 0x10,
    ENCODED_DATA_RELATIVE = 0x30,
    ENCODED_BASE = 0x70,
    ENCODED_OMITTED = 0xff
};

struct cursor {
    const uint8_t *at, *end;
};

static uint64_t take(struct cursor *cursor, size_t bytes) {
    uint64_t value = 0;
    if ((size_t)(cursor->end - cursor->at) < bytes) {
        cursor->at = cursor->end;
        return 0;
    }
    memcpy(&value, cursor->at, bytes);
    cursor->at += bytes;
    return value;
}

static uint64_t take_uleb(struct cursor *cursor) {
    uint64_t value = 0;
    for (unsigned shift = 0; cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
    }
    return value;
}

static int64_t take_sleb(struct cursor *cursor) {
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte = 0;
    while (cursor->at < cursor->end) {
        byte = *cursor->at++;
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (!(byte & 0x80))
            break;
    }
    if (shift < 64 && (byte & 0x40))
        value |= ~(uint64_t)0 << shift;
    return value;
}

static uintptr_t take_encoded(struct cursor *cursor, unsigned encoding, uintptr_t data) {
    uintptr_t base = 0, value;
    if ((encoding & ENCODED_BASE) == ENCODED_RELATIVE)
        base = (uintptr_t)cursor->at;
    else if ((encoding & ENCODED_BASE) == ENCODED_DATA_RELATIVE)
        base = data;
    switch (encoding & ENCODED_FORMAT) {
    case ENCODED_ULEB:
        value = take_uleb(cursor);
        break;
    case ENCODED_SLEB:
        value = take_sleb(cursor);
        break;
    case ENCODED_U2:
        value = take(cursor, 2);
        break;
    case ENCODED_S2:
        value = (int16_t)take(cursor, 2);
        break;
    case ENCODED_U4:
        value = take(cursor, 4);
        break;
    case ENCODED_S4:
        value = (int32_t)take(cursor, 4);
        break;
    default:
        value = take(cursor, 8);
    }
    return base + value;
}

/* The description of the function around pc: the header is a sorted table of pairs, start of the
 * function and description, both as signed distances from the header. */
static const uint8_t *find_description(const uint8_t *header, uintptr_t pc) {
    enum { HEADER_VERSION, FRAME, COUNT, TABLE, FIXED };
    uintptr_t data = (uintptr_t)header;
    struct cursor cursor = {header + FIXED, header + FIXED + 64};
    if (header[HEADER_VERSION] != 1 || header[COUNT] == ENCODED_OMITTED ||
        header[TABLE] != (ENCODED_DATA_RELATIVE | ENCODED_S4))
        return NULL;
    take_encoded(&cursor, header[FRAME], data);
    size_t count = take_encoded(&cursor, header[COUNT], data), low = 0, high = count;
    const int32_t *table = (const int32_t *)cursor.at;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (data + table[2 * middle] <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? NULL : (const uint8_t *)(data + table[2 * low - 1]);
}

/* What the functions described together have in common, and then this function's. */
struct description {
    uint64_t code_factor;
    int64_t data_factor;
    unsigned return_column, pointers;
    bool augmented;
    struct cursor initial, program;
    uintptr_t start, bytes;
};

static struct cursor take_record(const uint8_t *record) {
    uint32_t length;
    memcpy(&length, record, sizeof length);
    return (struct cursor){record + 4, record + 4 + length};
}

static bool read_common(const uint8_t *record, struct description *description) {
    struct cursor cursor = take_record(record);
    take(&cursor, 4);
    unsigned version = take(&cursor, 1);
    const char *augmentation = (const char *)cursor.at;
    cursor.at += strlen(augmentation) + 1;
    description->code_factor = take_uleb(&cursor);
    description->data_factor = take_sleb(&cursor);
    description->return_column = version == 1 ? take(&cursor, 1) : take_uleb(&cursor);
    description->augmented = *augmentation == 'z';
    if (*augmentation && !description->augmented)
        return false;
    const uint8_t *after = cursor.at;
    if (description->augmented) {
        size_t length = take_uleb(&cursor);
        after = cursor.at + length;
        for (const char *letter = augmentation + 1; *letter; letter++) {
            if (*letter == 'R')
                description->pointers = take(&cursor, 1);
            else if (*letter == 'P')
                take_encoded(&cursor, take(&cursor, 1) & ENCODED_FORMAT, 0);
            else if (*letter == 'L')
                take(&cursor, 1);
            else if (*letter != 'S' && *letter != 'B')
                return false;
        }
    }
    description->initial = (struct cursor){after, cursor.end};
    return true;
}

static bool read_description(const uint8_t *record, uintptr_t pc, struct description *description) {
    struct cursor cursor = take_record(record);
    const uint8_t *here = cursor.at;
    int32_t distance = take(&cursor, 4);
    *description = (struct description){0};
    if (distance == 0 || !read_common(here - distance, description))
        return false;
    description->start = take_encoded(&cursor, description->pointers, 0);
    description->bytes = take_encoded(&cursor, description->pointers & ENCODED_FORMAT, 0);
    if (description->augmented) {
        size_t length = take_uleb(&cursor);
        cursor.at += length;
    }
    description->program = cursor;
    return pc - description->start < description->bytes;
}

enum { STATES = 8, RULE_UNDEFINED = INT32_MIN + 1 };

struct machine {
    struct rule rule, first;
    struct rule kept[STATES];
    unsigned kept_count;
    bool by_expression; /* the CFA is */
    uintptr_t location;
};

static void set_saved(struct machine *machine, uint64_t column, int value) {
    if (column < RULE_REGISTERS)
        machine->rule.saved[column] = value;
}

static void set_cfa(struct machine *machine, uint64_t column, int64_t offset) {
    machine->rule.cfa_register = column < RULE_REGISTERS ? (int)column : -1;
    machine->rule.cfa_offset = offset;
    machine->by_expression = false;
}

static void keep_state(struct machine *machine) {
    if (machine->kept_count < STATES)
        machine->kept[machine->kept_count] = machine->rule;
    machine->kept_count++;
}

static void restore_state(struct machine *machine) {
    if (machine->kept_count > 0 && --machine->kept_count < STATES)
        machine->rule = machine->kept[machine->kept_count];
}

static void skip_block(struct cursor *cursor) {
    size_t length = take_uleb(cursor);
    cursor->at += length;
}

/* The instructions that need more than their six low bits. False for one that is not known. */
static bool execute_extended(struct machine *machine, const struct description *description,
                             struct cursor *cursor, unsigned code) {
    int64_t factor = description->data_factor;
    uint64_t column;
    switch (code) {
    case 0x00: /* nop */
    case 0x2d: /* aarch64: the return address is signed, or no more */
        return true;
    case 0x01: /* set_loc */
        machine->location = take_encoded(cursor, description->pointers, 0);
        return true;
    case 0x02: /* advance_loc1, 2, 4 */
    case 0x03:
    case 0x04:
        machine->location += take(cursor, 1u << (code - 2)) * description->code_factor;
        return true;
    case 0x05: /* offset_extended */
        column = take_uleb(cursor);
        set_saved(machine, column, take_uleb(cursor) * factor);
        return true;
    case 0x06: /* restore_extended */
        column = take_uleb(cursor);
        set_saved(machine, column, column < RULE_REGISTERS ? machine->first.saved[column] : 0);
        return true;
    case 0x07: /* undefined */
        set_saved(machine, take_uleb(cursor), RULE_UNDEFINED);
        return true;
    case 0x08: /* same_value */
        set_saved(machine, take_uleb(cursor), RULE_SAME);
        return true;
    case 0x09: /* register */
        set_saved(machine, take_uleb(cursor), RULE_UNDEFINED);
        take_uleb(cursor);
        return true;
    case 0x0a: /* remember_state */
        keep_state(machine);
        return true;
    case 0x0b: /* restore_state */
        restore_state(machine);
        return true;
    case 0x0c: /* def_cfa */
        column = take_uleb(cursor);
        set_cfa(machine, column, take_uleb(cursor));
        return true;
    case 0x0d: /* def_cfa_register */
        set_cfa(machine, take_uleb(cursor), machine->rule.cfa_offset);
        return true;
    case 0x0e: /* def_cfa_offset */
        machine->rule.cfa_offset = take_uleb(cursor);
        return true;
    case 0x0f: /* def_cfa_expression */
        skip_block(cursor);
        machine->by_expression = true;
        return true;
    case 0x10: /* expression */
    case 0x16: /* val_expression */
        set_saved(machine, take_uleb(cursor), RULE_UNDEFINED);
        skip_block(cursor);
        return true;
    case 0x11: /* offset_extended_sf */
        column = take_uleb(cursor);
        set_saved(machine, column, take_sleb(cursor) * factor);
        return true;
    case 0x12: /* def_cfa_sf */
        column = take_uleb(cursor);
        set_cfa(machine, column, take_sleb(cursor) * factor);
        return true;
    case 0x13: /* def_cfa_offset_sf */
        machine->rule.cfa_offset = take_sleb(cursor) * factor;
        return true;
    case 0x14: /* val_offset */
    case 0x15: /* val_offset_sf */
        set_saved(machine, take_uleb(cursor), RULE_UNDEFINED);
        take_uleb(cursor);
        return true;
    case 0x2e: /* GNU_args_size */
        take_uleb(cursor);
        return true;
    default:
        return false;
    }
}

/* Runs the program up to the first instruction after pc. */
static bool execute(struct machine *machine, const struct description *description,
                    struct cursor cursor, uintptr_t pc) {
    enum { ADVANCE = 1, OFFSET = 2, RESTORE = 3, LOW_BITS = 0x3f };
    while (cursor.at < cursor.end && machine->location <= pc) {
        uint8_t code = take(&cursor, 1);
        unsigned low = code & LOW_BITS;
        switch (code >> 6) {
        case ADVANCE:
            machine->location += low * description->code_factor;
            break;
        case OFFSET:
            set_saved(machine, low, take_uleb(&cursor) * description->data_factor);
            break;
        case RESTORE:
            set_saved(machine, low, low < RULE_REGISTERS ? machine->first.saved[low] : 0);
            break;
        default:
            if (!execute_extended(machine, description, &cursor, code))
                return false;
        }
    }
    return true;
}

enum rule_result rule_find(uintptr_t pc, struct rule *rule) {
    struct dl_find_object object;
    struct description description;
    struct machine machine = {0};
    if (_dl_find_object((void *)pc, &object) != 0 || object.dlfo_eh_frame == NULL)
        return RULE_UNKNOWN;
    const uint8_t *record = find_description(object.dlfo_eh_frame, pc);
    if (record == NULL || !read_description(record, pc, &description))
        return RULE_UNKNOWN;
    for (int i = 0; i < RULE_REGISTERS; i++)
        machine.rule.saved[i] = RULE_SAME;
    machine.location = description.start;
    if (!execute(&machine, &description, description.initial, UINTPTR_MAX))
        return RULE_UNKNOWN;
    machine.first = machine.rule;
    machine.location = description.start;
    if (!execute(&machine, &description, description.program, pc))
        return RULE_UNKNOWN;
    *rule = machine.rule;
    if (machine.by_expression || rule->saved[RULE_RETURN] == RULE_UNDEFINED ||
        description.return_column != (unsigned)RULE_RETURN)
        return RULE_OUTERMOST;
    if (rule->cfa_register != RULE_SP && rule->cfa_register != RULE_FP)
        return RULE_UNKNOWN;
    return RULE_FOUND;
}
