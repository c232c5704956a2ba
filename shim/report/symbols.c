/* One libdwfl module a file, and a table of places found; see symbols.h. */
#include "report/symbols.h"

#include "report/function_name.h"
#include "report/units.h"

#include <elfutils/libdwfl.h>

#include <dwarf.h>
#include <libiberty/demangle.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file that is loaded into libdwfl at an address of our choice. */
struct image {
    char *path, *build_id;
    Dwfl_Module *module; /* NULL: no names */
    struct units *units; /* NULL: no debug information */
    uint64_t bias;       /* what libdwfl adds to the file's addresses */
    struct image *next;
};

struct place {
    const struct image *image;
    uint64_t offset;
    struct symbol_place found;
};

enum { MOST_WARNINGS = 64, MOST_INLINED = 32, RECENTS = 4096, IMAGE_DISTANCE_SHIFT = 36 };

static Dwfl *session;
static struct image *images;
static uint64_t next_base = (uint64_t)1 << IMAGE_DISTANCE_SHIFT;
static void *places; /* tsearch */
static char *warnings[MOST_WARNINGS];
static size_t warning_count;

static void warn(const char *format, const char *path) {
    if (warning_count < MOST_WARNINGS && asprintf(&warnings[warning_count], format, path) > 0)
        warning_count++;
}

static char *debug_path;
static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = &debug_path,
};

static bool has_build_id(Dwfl_Module *module, const char *wanted) {
    const unsigned char *bits;
    GElf_Addr address;
    char text[129] = "";
    int bytes = dwfl_module_build_id(module, &bits, &address);
    for (int i = 0; i < bytes && i < 64; i++)
        snprintf(text + 2 * i, 3, "%02x", bits[i]);
    return *wanted == 0 || strcmp(text, wanted) == 0;
}

/* The file itself, if it is still the one that ran; else what has its build id among the debug
 * files. */
static Dwfl_Module *open_file(const char *path, const char *build_id) {
    Dwfl_Module *module = dwfl_report_elf(session, path, path, -1, next_base, true);
    if (module == NULL || !has_build_id(module, build_id)) {
        char debug[4096];
        warn(module ? "%s has changed since it ran: no names" : "%s cannot be read: no names",
             path);
        if (strlen(build_id) < 3)
            return NULL;
        next_base += (uint64_t)1 << IMAGE_DISTANCE_SHIFT;
        snprintf(debug, sizeof debug, "/usr/lib/debug/.build-id/%.2s/%s.debug", build_id,
                 build_id + 2);
        return access(debug, R_OK) == 0
                   ? dwfl_report_elf(session, debug, debug, -1, next_base, true)
                   : NULL;
    }
    return module;
}

static const struct image *image_of(const struct check_module *module) {
    for (struct image *image = images; image; image = image->next)
        if (strcmp(image->path, module->path) == 0 &&
            strcmp(image->build_id, module->build_id) == 0)
            return image;
    struct image *image = calloc(1, sizeof *image);
    if (image == NULL)
        abort();
    if (session == NULL)
        session = dwfl_begin(&callbacks);
    image->path = strdup(module->path);
    image->build_id = strdup(module->build_id);
    dwfl_report_begin_add(session);
    image->module = open_file(image->path, image->build_id);
    dwfl_report_end(session, NULL, NULL);
    GElf_Addr bias = 0;
    if (image->module && dwfl_module_getelf(image->module, &bias) == NULL)
        image->module = NULL;
    image->bias = bias;
    image->units = image->module ? units_of(image->module) : NULL;
    next_base += (uint64_t)1 << IMAGE_DISTANCE_SHIFT;
    image->next = images;
    images = image;
    return image;
}

static const char *readable_name(const char *name) {
    char *demangled = name ? cplus_demangle(name, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO) : NULL;
    if (demangled == NULL && name)
        demangled = rust_demangle(name, DMGL_AUTO);
    return demangled ? demangled : name ? strdup(name) : NULL;
}

static void add_frame(struct symbol_place *place, struct symbol_frame frame) {
    struct symbol_frame *frames = realloc(place->frames, (place->count + 1) * sizeof frame);
    if (frames == NULL)
        abort();
    place->frames = frames;
    frames[place->count++] = frame;
}

/* Where an inlined function was called from. */
static void place_of_call(Dwarf_Die *unit, Dwarf_Die *scope, struct symbol_frame *frame) {
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files *files;
    size_t count;
    dwarf_formudata(dwarf_attr(scope, DW_AT_call_file, &attribute), &file);
    dwarf_formudata(dwarf_attr(scope, DW_AT_call_line, &attribute), &line);
    if (dwarf_getsrcfiles(unit, &files, &count) == 0 && file < count)
        frame->file = dwarf_filesrc(files, file, NULL, NULL);
    frame->line = line;
}

static bool is_inside_function(int tag) {
    return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
           tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

static bool may_hold_functions(int tag, bool local) {
    return tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
           tag == DW_TAG_union_type || tag == DW_TAG_module ||
           (local && (tag == DW_TAG_subprogram || is_inside_function(tag)));
}

/* dwarf_getscopes finds nothing in some of Rust's units and leaves out inlined functions in others,
 * so the tree is searched here. The function proper at an address, in a unit or what is in it;
 * local ones are among what their outer functions hold. */
static bool find_function(const Dwarf_Die *scope, Dwarf_Addr pc, bool local, Dwarf_Die *function) {
    Dwarf_Die outer = *scope, child;
    if (dwarf_child(&outer, &child) != 0)
        return false;
    do {
        int tag = dwarf_tag(&child);
        bool found = tag == DW_TAG_subprogram && dwarf_haspc(&child, pc) > 0;
        if (found)
            *function = child;
        if (found || (may_hold_functions(tag, local) && find_function(&child, pc, local, function)))
            return true;
    } while (dwarf_siblingof(&child, &child) == 0);
    return false;
}

/* The scope right inside another one that an address lies in; false when there is none. */
static bool enter(const Dwarf_Die *scope, Dwarf_Addr pc, Dwarf_Die *inner) {
    Dwarf_Die outer = *scope;
    if (dwarf_child(&outer, inner) != 0)
        return false;
    do
        if (is_inside_function(dwarf_tag(inner)) && dwarf_haspc(inner, pc) > 0)
            return true;
    while (dwarf_siblingof(inner, inner) == 0);
    return false;
}

/* The function proper and those inlined into it, outermost first. */
static int find_chain(Dwarf_Die *unit, Dwarf_Addr pc, Dwarf_Die chain[MOST_INLINED]) {
    Dwarf_Die scope, inner;
    int count = 0;
    if (!find_function(unit, pc, false, &scope) && !find_function(unit, pc, true, &scope))
        return 0;
    chain[count++] = scope;
    for (; count < MOST_INLINED && enter(&scope, pc, &inner); scope = inner)
        if (dwarf_tag(&inner) == DW_TAG_inlined_subroutine)
            chain[count++] = inner;
    return count;
}

static void name_function(Dwarf_Die *function, struct symbol_frame *frame) {
    const char *symbol = function_symbol(function);
    char *by_place = function_name_by_place(function);
    frame->symbol = symbol ? symbol : by_place ? by_place : dwarf_diename(function);
    frame->function = by_place ? by_place : readable_name(frame->symbol);
    int first = function_first_line(function);
    frame->within = frame->line && first ? frame->line - first : 0;
}

/* The chain of inlined functions at an address, innermost first, and then the function proper. */
static void add_inlined(struct symbol_place *place, struct unit *unit, struct symbol_frame frame) {
    Dwarf_Die chain[MOST_INLINED];
    int count = find_chain(&unit->functions, unit->address, chain);
    while (count-- > 0) {
        struct symbol_frame one = frame;
        one.inlined = count > 0;
        name_function(&chain[count], &one);
        add_frame(place, one);
        if (count > 0)
            place_of_call(&unit->functions, &chain[count], &frame);
    }
}

static void find_line(struct unit *unit, struct symbol_frame *frame) {
    Dwarf_Line *line = dwarf_getsrc_die(&unit->lines, unit->address);
    if (line == NULL)
        return;
    frame->file = dwarf_linesrc(line, NULL, NULL);
    dwarf_lineno(line, &frame->line);
}

static void find_names(struct symbol_place *place, const struct image *image,
                       struct symbol_frame frame) {
    uint64_t address = image->bias + frame.offset;
    struct unit unit;
    if (image->units && units_find(image->units, address, &unit)) {
        find_line(&unit, &frame);
        add_inlined(place, &unit, frame);
    }
    GElf_Sym symbol;
    GElf_Off distance = 0;
    const char *name = image->module ? dwfl_module_addrinfo(image->module, address, &distance,
                                                            &symbol, NULL, NULL, NULL)
                                     : NULL;
    if (place->count == 0) {
        frame.function = readable_name(name);
        frame.symbol = name;
        frame.within = name ? (int)distance : 0;
        add_frame(place, frame);
    } else if (place->frames[place->count - 1].function == NULL) {
        place->frames[place->count - 1].function = readable_name(name);
        place->frames[place->count - 1].symbol = name;
    }
}

/* Of code that has no name there is only where it lies. */
static void print_frame(struct symbol_frame *frame) {
    const char *module = frame->module ? check_base_name(frame->module->path) : "";
    uint64_t print = check_print(CHECK_PRINT, module, strlen(module) + 1);
    if (frame->function) {
        print = check_print(print, frame->function, strlen(frame->function));
        print = check_print(print, &frame->within, sizeof frame->within);
    } else if (frame->module) {
        print = check_print(print, &frame->offset, sizeof frame->offset);
    }
    frame->print = print;
}

static int compare_places(const void *one, const void *two) {
    const struct place *first = one, *second = two;
    if (first->image != second->image)
        return first->image < second->image ? -1 : 1;
    return (first->offset > second->offset) - (first->offset < second->offset);
}

struct recent {
    uint64_t address;
    unsigned check, generation;
    const struct symbol_place *place;
};

static struct recent recents[RECENTS];

static const struct symbol_place *find(const struct check_module *module, const struct image *image,
                                       uint64_t offset) {
    struct place *place = calloc(1, sizeof *place);
    if (place == NULL)
        abort();
    *place = (struct place){image, offset, {0, NULL}};
    struct place **known = tsearch(place, &places, compare_places);
    if (*known != place) {
        free(place);
        return &(*known)->found;
    }
    struct symbol_frame frame = {.module = module, .offset = offset};
    if (image)
        find_names(&place->found, image, frame);
    else
        add_frame(&place->found, frame);
    for (size_t i = 0; i < place->found.count; i++)
        print_frame(&place->found.frames[i]);
    return &place->found;
}

static const struct symbol_place *find_code(const struct check *check, uint64_t address,
                                            unsigned generation) {
    const struct check_module *module = check_module_at(check, address, generation);
    if (module == NULL)
        return find(NULL, NULL, address);
    return find(module, image_of(module), address - module->bias);
}

/* A million stacks are made of few places: what was found last under an address is kept. */
const struct symbol_place *symbols_code(const struct check *check, uint64_t address,
                                        unsigned generation) {
    struct recent *recent = &recents[(address ^ address >> 12) % RECENTS];
    if (recent->place == NULL || recent->check != check->serial || recent->address != address ||
        recent->generation != generation)
        *recent = (struct recent){address, check->serial, generation,
                                  find_code(check, address, generation)};
    return recent->place;
}

const char *symbols_data(const struct check *check, uint64_t address, uint64_t *distance) {
    const struct check_module *module = check_module_at(check, address, UINT32_MAX - 1);
    const struct image *image = module ? image_of(module) : NULL;
    GElf_Sym symbol;
    GElf_Off offset;
    if (image == NULL || image->module == NULL)
        return NULL;
    const char *name = dwfl_module_addrinfo(image->module, image->bias + address - module->bias,
                                            &offset, &symbol, NULL, NULL, NULL);
    *distance = offset;
    return name && offset < symbol.st_size ? readable_name(name) : NULL;
}

void symbols_each_warning(void (*visit)(const char *text, void *context), void *context) {
    for (size_t i = 0; i < warning_count; i++)
        visit(warnings[i], context);
}

void symbols_end(void) {
    if (session)
        dwfl_end(session);
    session = NULL;
}
