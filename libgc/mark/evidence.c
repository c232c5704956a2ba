/* The sorts of evidence, and who in the process makes them count; see evidence.h. */
#include "mark/evidence.h"

#include "os/exports.h"
#include "os/options.h"

#include <string.h>

const char *const evidence_names[EVIDENCE_SORTS] = {"addresses", "packed",  "tags",   "distances",
                                                    "digits",    "fixnums", "doubles"};

/* How languages write an integer. */
enum form {
    FORM_DIGITS_30, /* CPython: 30 bits in each half word */
    FORM_DIGITS_15, /* the same, built otherwise: 15 in each quarter */
    FORM_SHIFTED_1, /* 2n + 1, as Ruby and OCaml have it */
    FORM_SHIFTED_2, /* 4n and a tag: Guile, Emacs, ECL */
    FORM_SHIFTED_3, /* 8n and a tag: Chez Scheme, Racket */
    FORM_DOUBLE,    /* Lua, R, JavaScript */
    FORM_DOUBLE_UP, /* JavaScriptCore: the same, and 2^49 in the word added */
    FORM_SEGMENTED, /* LuaJIT's light userdata: a tag, a number for the rest, and 39 bits */
    FORMS
};

enum { DIGITS = 3 << FORM_DIGITS_30, TO_ANY_CLASS = 1 << FORMS };

/* Who keeps addresses in a way of its own, by a name that it exports. */
static const struct {
    const char *name;
    unsigned forms;
} users[] = {
    {"PyLong_FromVoidPtr", DIGITS},
    {"ruby_init", 1 << FORM_SHIFTED_1},
    {"mrb_open", 1 << FORM_SHIFTED_1},
    {"caml_startup", 1 << FORM_SHIFTED_1},
    {"caml_main", 1 << FORM_SHIFTED_1},
    {"CHICKEN_run", 1 << FORM_SHIFTED_1},
    {"call_into_lisp", 1 << FORM_SHIFTED_1}, /* SBCL */
    {"scm_boot_guile", 1 << FORM_SHIFTED_2},
    {"cl_boot", 1 << FORM_SHIFTED_2},           /* ECL */
    {"emacs_module_init", 1 << FORM_SHIFTED_2}, /* only Emacs's modules have C's pointers */
    {"___setup", 1 << FORM_SHIFTED_2},          /* Gambit */
    {"Sscheme_init", 1 << FORM_SHIFTED_3},
    {"racket_boot", 1 << FORM_SHIFTED_3},
    {"lua_pushnumber", 1 << FORM_DOUBLE},
    {"luaJIT_setmode", 1 << FORM_DOUBLE | 1 << FORM_SEGMENTED},
    {"R_MakeExternalPtr", 1 << FORM_DOUBLE},
    {"_ZN2v86Number3NewEPNS_7IsolateEd", 1 << FORM_DOUBLE},
    {"_Z13JS_NewContextjP9JSRuntime", 1 << FORM_DOUBLE}, /* SpiderMonkey */
    {"JS_NewRuntime", 1 << FORM_DOUBLE},                 /* QuickJS */
    {"duk_push_number", 1 << FORM_DOUBLE},
    {"JSValueMakeNumber", 1 << FORM_DOUBLE | 1 << FORM_DOUBLE_UP},
    {"FcPatternCreate", TO_ANY_CLASS},
};

enum { USERS = sizeof users / sizeof *users };

static bool of_programs, tags, only_to_others;
static uint64_t seen;  /* users, by their places in the table */
static unsigned forms; /* that count, and TO_ANY_CLASS */
static uintptr_t address_mask = UINTPTR_MAX;

/* Since the mark began; any marker adds, read when none is at work. */
static struct { volatile AO_t words, objects, bytes; } counted[EVIDENCE_SORTS];

struct evidence_filter evidence_filter = {.mask5 = 0xff, .range5 = 0xff, .range4 = 0xff};

static enum evidence_sort sort_of(enum form form) {
    static const unsigned char sorts[FORMS] = {
        EVIDENCE_DIGITS, EVIDENCE_DIGITS, EVIDENCE_FIXNUM, EVIDENCE_FIXNUM,
        EVIDENCE_FIXNUM, EVIDENCE_DOUBLE, EVIDENCE_DOUBLE, EVIDENCE_TAGGED,
    };
    return sorts[form];
}

static const char *option_of(enum form form) {
    switch (sort_of(form)) {
    case EVIDENCE_DIGITS:
        return options.digits;
    case EVIDENCE_FIXNUM:
        return options.fixnums;
    case EVIDENCE_DOUBLE:
        return options.doubles;
    default:
        return options.mask ? "auto" : "off";
    }
}

static bool is(const char *option, const char *value) { return strcmp(option, value) == 0; }

/* What counts by the options and by who is there. */
static unsigned forms_wanted(void) {
    unsigned found = 0, wanted = 0;
    for (unsigned i = 0; i < USERS; i++)
        if (seen >> i & 1)
            found |= users[i].forms;
    for (unsigned form = 0; form < FORMS; form++)
        if (is(option_of(form), "on") || (is(option_of(form), "auto") && found >> form & 1))
            wanted |= 1u << form;
    if (is(options.distances, "on") || (is(options.distances, "auto") && found & TO_ANY_CLASS))
        wanted |= TO_ANY_CLASS;
    return wanted;
}

void evidence_of_programs(void) {
    of_programs = true;
    tags = options.mask;
    evidence_filter.packed = options.unaligned;
    evidence_filter.distances = !is(options.distances, "off");
    forms = forms_wanted();
}

void evidence_distances_to_others(void) { only_to_others = true; }

bool evidence_look_around(bool stopped) {
    const char *names[USERS];
    unsigned before = forms;
    if (!of_programs)
        return false;
    for (unsigned i = 0; i < USERS; i++)
        names[i] = users[i].name;
    exports_find(names, USERS, stopped, &seen);
    forms = forms_wanted();
    return forms != before;
}

void evidence_count(struct evidence_count counts[EVIDENCE_SORTS]) {
    for (unsigned sort = 0; sort < EVIDENCE_SORTS; sort++) {
        if (counts[sort].words + counts[sort].objects == 0)
            continue;
        AO_fetch_and_add(&counted[sort].words, counts[sort].words);
        AO_fetch_and_add(&counted[sort].objects, counts[sort].objects);
        AO_fetch_and_add(&counted[sort].bytes, counts[sort].bytes);
    }
    memset(counts, 0, EVIDENCE_SORTS * sizeof *counts);
}

struct evidence_count evidence_counted(enum evidence_sort sort) {
    return (struct evidence_count){AO_load(&counted[sort].words), AO_load(&counted[sort].objects),
                                   AO_load(&counted[sort].bytes)};
}

void evidence_count_anew(void) {
    for (unsigned sort = 0; sort < EVIDENCE_SORTS; sort++) {
        AO_store(&counted[sort].words, 0);
        AO_store(&counted[sort].objects, 0);
        AO_store(&counted[sort].bytes, 0);
    }
}

static uintptr_t double_of(uintptr_t address) {
    double number = address;
    uintptr_t word;
    memcpy(&word, &number, sizeof word);
    return word;
}

static uintptr_t address_of_double(uintptr_t word) {
    double number;
    memcpy(&number, &word, sizeof number);
    if (!(number >= 1 && number < 0x1p52))
        return 0;
    uintptr_t address = number;
    return (double)address == number ? address : 0;
}

enum {
    SEGMENTED_TAG = 0xfffe, /* in the highest bits; then follow eight that stand for others */
    SEGMENTED_TAG_SHIFT = 48,
    SEGMENTED_BITS = 39
};

#define UP ((uintptr_t)2 << 48)
#define LOW(bits) (((uintptr_t)1 << (bits)) - 1)

/* The word that is this address in a form; grows with the address. Of those with tags, the least.
 */
static uintptr_t written(enum form form, uintptr_t address) {
    switch (form) {
    case FORM_DIGITS_30:
        return address >> 30 << 32 | (address & LOW(30));
    case FORM_DIGITS_15:
        return address >> 45 << 48 | (address >> 30 & LOW(15)) << 32 |
               (address >> 15 & LOW(15)) << 16 | (address & LOW(15));
    case FORM_DOUBLE:
        return double_of(address);
    case FORM_DOUBLE_UP:
        return double_of(address) + UP;
    default:
        return address << (form - FORM_SHIFTED_1 + 1);
    }
}

/* The address that is written so, or something that is none. */
static uintptr_t read_number(enum form form, uintptr_t word) {
    switch (form) {
    case FORM_DIGITS_30:
        return word & (LOW(32) - LOW(30)) ? 0 : word >> 32 << 30 | (word & LOW(30));
    case FORM_DIGITS_15:
        return word & 0x8000800080008000u ? 0
                                          : word >> 48 << 45 | (word >> 32 & LOW(15)) << 30 |
                                                (word >> 16 & LOW(15)) << 15 | (word & LOW(15));
    case FORM_DOUBLE:
        return address_of_double(word);
    case FORM_DOUBLE_UP:
        return address_of_double(word - UP);
    default:
        return word >> (form - FORM_SHIFTED_1 + 1);
    }
}

static bool may_start(uintptr_t address) {
    return address % SIZES_GRANULE == 0 && heap_contains(address);
}

/* Which address the bits are the lower part of is known to LuaJIT: any of the heap's. */
static unsigned find_segmented(uintptr_t word, uintptr_t *found) {
    unsigned count = 0;
    uintptr_t last = heap.objects.start + AO_load(&heap.objects.committed);
    uintptr_t segment = heap.objects.start & ~LOW(SEGMENTED_BITS);
    if (word >> (SEGMENTED_TAG_SHIFT - 1) != SEGMENTED_TAG << 1)
        return 0;
    for (; segment < last && count < 4; segment += LOW(SEGMENTED_BITS) + 1)
        if (may_start(segment | (word & LOW(SEGMENTED_BITS))))
            found[count++] =
                evidence_of_sort(segment | (word & LOW(SEGMENTED_BITS)), EVIDENCE_TAGGED);
    return count;
}

unsigned evidence_numbers(uintptr_t word, uintptr_t found[EVIDENCE_NUMBERS_MOST]) {
    unsigned count = 0;
    if (!(forms & (TO_ANY_CLASS - 1)))
        return 0;
    for (unsigned form = 0; form < FORM_SEGMENTED; form++) {
        uintptr_t address = forms >> form & 1 ? read_number(form, word) : 0;
        if (address && may_start(address))
            found[count++] = evidence_of_sort(address, sort_of(form));
    }
    return count + (forms >> FORM_SEGMENTED & 1 ? find_segmented(word, found + count) : 0);
}

/* A number that is none, and so may be a box: such addresses have tags in their low bits, too. */
static bool is_box(uintptr_t word) {
    unsigned exponent = word >> 52;
    return exponent == 0xfff || exponent == 0x7ff;
}

static uintptr_t without_tag(uintptr_t word) {
    return word & address_mask & (is_box(word) ? ~(uintptr_t)7 : UINTPTR_MAX);
}

bool evidence_tagged(uintptr_t word, uintptr_t *found) {
    if (!tags || word <= address_mask || !may_start(without_tag(word)))
        return false;
    *found = evidence_of_sort(without_tag(word), EVIDENCE_TAGGED);
    return true;
}

/* The table of classes tells of most; large objects, and pages without any, have none there. */
static bool is_of_other_class(const struct span *from, uintptr_t to) {
    unsigned class = heap.page_classes[heap_page_of(to)];
    if (class != 0)
        return class != from->span_class;
    const struct span *span = heap_span_of(to);
    return span && span->span_class != from->span_class;
}

/* Not zero, a multiple of what objects are aligned to, less than four gigabytes. */
bool evidence_distance(struct object from, uintptr_t word, uintptr_t *found) {
    uintptr_t to = object_address(from) + word;
    if (!evidence_filter.distances || !evidence_is_near(word) || word % SIZES_GRANULE != 0 ||
        word == 0 || !heap_contains(to))
        return false;
    if ((only_to_others || !(forms & TO_ANY_CLASS)) && !is_of_other_class(from.span, to))
        return false;
    *found = evidence_of_sort(to, EVIDENCE_DISTANCE);
    return true;
}

static void bound_number(enum form form, uintptr_t first, uintptr_t last) {
    uint32_t lowest = written(form, first) >> 32, highest = written(form, last) >> 32;
    if (form == FORM_SEGMENTED) {
        lowest = SEGMENTED_TAG << 16;
        highest = lowest + 0x7fff;
    }
    unsigned i = evidence_filter.number_count++;
    evidence_filter.numbers[i].lowest = lowest;
    evidence_filter.numbers[i].range = highest - lowest;
}

/* Where byte 5 is not always the same, byte 4 may be any. */
void evidence_bound(void) {
    struct evidence_filter *filter = &evidence_filter;
    uintptr_t first = heap.objects.start, bytes = AO_load(&heap.objects.committed);
    uintptr_t last = first + (bytes ? bytes - 1 : 0);
    bool narrow = heap.objects.start + heap.objects.reserved <= (uintptr_t)1 << 47;
    address_mask = LOW(narrow ? 47 : 48);
    filter->mask5 = tags && narrow ? 0x7f : 0xff;
    filter->lowest5 = first >> 40;
    filter->range5 = (unsigned char)(last >> 40) - filter->lowest5;
    filter->lowest4 = filter->range5 ? 0 : first >> 32;
    filter->range4 = filter->range5 ? 0xff : (unsigned char)(last >> 32) - filter->lowest4;
    filter->number_count = 0;
    for (unsigned form = 0; form < FORMS; form++)
        if (forms >> form & 1)
            bound_number(form, first, last);
}
