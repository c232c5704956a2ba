/* The entry, what it is declared by, and what that stands in; see function_name.h. */
#include "report/function_name.h"

#include "report/check_file.h"

#include <dwarf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_REFERENCES = 8, MOST_SCOPES = 32 };

const char *function_symbol(Dwarf_Die *function) {
    Dwarf_Attribute attribute;
    if (dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute) ||
        dwarf_attr_integrate(function, DW_AT_MIPS_linkage_name, &attribute))
        return dwarf_formstring(&attribute);
    return NULL;
}

static bool follow(Dwarf_Die *entry, unsigned name) {
    Dwarf_Attribute attribute;
    Dwarf_Die next;
    if (!dwarf_attr(entry, name, &attribute) || !dwarf_formref_die(&attribute, &next))
        return false;
    *entry = next;
    return true;
}

/* An inlined or separate copy leads to the function, and that to its declaration. */
static Dwarf_Die declaration_of(const Dwarf_Die *function) {
    Dwarf_Die entry = *function;
    for (int i = 0; i < MOST_REFERENCES; i++)
        if (!follow(&entry, DW_AT_abstract_origin) && !follow(&entry, DW_AT_specification))
            break;
    return entry;
}

static bool is_class(int tag) {
    return tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

/* g++ calls them <lambda()>, clang++ nothing. */
static bool is_lambda(Dwarf_Die *scope) {
    const char *name = dwarf_diename(scope);
    return is_class(dwarf_tag(scope)) && (name == NULL || strncmp(name, "<lambda", 7) == 0);
}

/* libdw takes the number of a unit's first file for that of none. */
static const char *file_of(Dwarf_Die *entry) {
    Dwarf_Die unit;
    const char *file = dwarf_decl_file(entry);
    if (file == NULL && dwarf_diecu(entry, &unit, NULL, NULL))
        file = dwarf_diename(&unit);
    return file ? check_base_name(file) : "?";
}

static void put_lambda(FILE *out, Dwarf_Die *scope, Dwarf_Die *function) {
    int line = 0;
    bool known = dwarf_decl_line(scope, &line) == 0;
    if (!known)
        dwarf_decl_line(function, &line);
    fprintf(out, "{lambda %s:%d}", file_of(known ? scope : function), line);
}

static bool is_named_scope(int tag) {
    return is_class(tag) || tag == DW_TAG_namespace || tag == DW_TAG_subprogram;
}

/* False when it has no name: clang++ leaves that out of functions of which only copies are left. */
static bool put_name(FILE *out, Dwarf_Die *entry, Dwarf_Die *inside) {
    const char *name = dwarf_diename(entry);
    if (is_lambda(entry))
        put_lambda(out, entry, inside);
    else if (name == NULL && dwarf_tag(entry) == DW_TAG_namespace)
        fputs("(anonymous namespace)", out);
    else if (name == NULL)
        return false;
    else
        fputs(name, out);
    return true;
}

/* With all that it stands in, which for a function is what its declaration stands in. */
static bool put_path(FILE *out, const Dwarf_Die *entry, Dwarf_Die *inside, int depth) {
    Dwarf_Die declaration = declaration_of(entry), *scopes = NULL;
    int count = depth < MOST_SCOPES ? dwarf_getscopes_die(&declaration, &scopes) : 0, i = 1;
    while (i < count && !is_named_scope(dwarf_tag(&scopes[i])))
        i++;
    bool known = i >= count || put_path(out, &scopes[i], &declaration, depth + 1);
    if (i < count)
        fputs("::", out);
    known = put_name(out, &declaration, inside) && known;
    free(scopes);
    return known;
}

static bool stands_in(Dwarf_Die *scopes, int count, bool (*is_such)(int tag)) {
    for (int i = 1; i < count; i++)
        if (is_such(dwarf_tag(&scopes[i])))
            return true;
    return false;
}

static bool is_function(int tag) { return tag == DW_TAG_subprogram; }

static bool has_lambda(Dwarf_Die *scopes, int count) {
    for (int i = 1; i < count; i++)
        if (is_lambda(&scopes[i]))
            return true;
    return false;
}

char *function_name_by_place(Dwarf_Die *function) {
    Dwarf_Die declaration = declaration_of(function), *scopes = NULL;
    int count = dwarf_getscopes_die(&declaration, &scopes);
    char *name = NULL;
    size_t bytes;
    if (count > 0 && dwarf_diename(&declaration) &&
        (stands_in(scopes, count, is_function) || has_lambda(scopes, count) ||
         (function_symbol(function) == NULL && stands_in(scopes, count, is_named_scope)))) {
        FILE *out = open_memstream(&name, &bytes);
        if (out == NULL)
            abort();
        bool known = put_path(out, function, &declaration, 0);
        fclose(out);
        if (!known && function_symbol(function)) {
            free(name);
            name = NULL;
        }
    }
    free(scopes);
    return name;
}

int function_first_line(Dwarf_Die *function) {
    int line = 0;
    return dwarf_decl_line(function, &line) == 0 ? line : 0;
}
