/* A sorted table of ranges; see units.h. */
#include "report/units.h"

#include <stdlib.h>

struct range {
    Dwarf_Addr start, end, widest; /* widest: the largest end up to here */
    Dwarf_Die unit;
};

struct units {
    Dwarf_Addr bias;
    size_t count, room;
    struct range *ranges;
};

static void add(struct units *units, Dwarf_Addr start, Dwarf_Addr end, const Dwarf_Die *unit) {
    if (units->count == units->room) {
        units->room = units->room ? 2 * units->room : 64;
        units->ranges = realloc(units->ranges, units->room * sizeof *units->ranges);
        if (units->ranges == NULL)
            abort();
    }
    units->ranges[units->count++] = (struct range){start, end, end, *unit};
}

static int compare(const void *one, const void *two) {
    const struct range *first = one, *second = two;
    return (first->start > second->start) - (first->start < second->start);
}

static void add_unit(struct units *units, Dwarf_Die *unit) {
    Dwarf_Addr base, start, end;
    for (ptrdiff_t at = 0; (at = dwarf_ranges(unit, at, &base, &start, &end)) > 0;)
        if (start < end)
            add(units, start, end, unit);
}

struct units *units_of(Dwfl_Module *module) {
    Dwarf_Addr bias;
    Dwarf *dwarf = dwfl_module_getdwarf(module, &bias);
    if (dwarf == NULL)
        return NULL;
    struct units *units = calloc(1, sizeof *units);
    if (units == NULL)
        abort();
    units->bias = bias;
    Dwarf_Die die;
    for (Dwarf_CU *unit = NULL; dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0;)
        add_unit(units, &die);
    if (units->count > 0)
        qsort(units->ranges, units->count, sizeof *units->ranges, compare);
    for (size_t i = 1; i < units->count; i++)
        if (units->ranges[i].widest < units->ranges[i - 1].widest)
            units->ranges[i].widest = units->ranges[i - 1].widest;
    return units;
}

/* How many ranges start at an address or before it. */
static size_t count_up_to(const struct units *units, Dwarf_Addr address) {
    size_t low = 0, high = units->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (units->ranges[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool units_find(const struct units *units, uint64_t address, struct unit *unit) {
    address -= units->bias;
    for (size_t i = count_up_to(units, address); i > 0 && units->ranges[i - 1].widest > address;
         i--) {
        const struct range *range = &units->ranges[i - 1];
        Dwarf_Die split;
        if (range->end <= address)
            continue;
        *unit = (struct unit){range->unit, range->unit, address};
        if (dwarf_cu_info(range->unit.cu, NULL, NULL, NULL, &split, NULL, NULL, NULL) == 0 &&
            split.addr)
            unit->functions = split;
        return true;
    }
    return false;
}
