/* Which compilation unit the code at an address comes from.
 *
 * Compilers need not write a table of that: clang writes none. So all units of a file are asked
 * once for the ranges of their code, which they tell in any case. Where the functions of a unit
 * stand in a file of their own (split DWARF), that is opened when it is first needed. One thread.
 */
#ifndef TITHE_SHIM_REPORT_UNITS_H
#define TITHE_SHIM_REPORT_UNITS_H

#include <elfutils/libdwfl.h>

#include <stdbool.h>
#include <stdint.h>

struct units;

struct unit {
    Dwarf_Die lines;     /* what has the table of lines */
    Dwarf_Die functions; /* what has the functions; the same, unless split */
    Dwarf_Addr address;  /* as the unit counts it */
};

/* NULL when the module has no debug information. */
struct units *units_of(Dwfl_Module *module);

/* The unit of an address of the session's. False when none claims it. */
bool units_find(const struct units *units, uint64_t address, struct unit *unit);

#endif
