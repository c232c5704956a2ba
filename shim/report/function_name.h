/* What a function is called, by its entry in the debug information.
 *
 * Local functions, lambdas above all, have names that compilers make up, each in its own way, or
 * none; they are called by where they stand: outer::function::{lambda file.cc:12}::operator(). So
 * they have the same name at each level of optimization, inlined or not, by any compiler.
 */
#ifndef TITHE_SHIM_REPORT_FUNCTION_NAME_H
#define TITHE_SHIM_REPORT_FUNCTION_NAME_H

#include <elfutils/libdw.h>

/* As it stands in the file, to be demangled; NULL when it has none. */
const char *function_symbol(Dwarf_Die *function);

/* Made of where it stands, if it is local to another function or has no symbol but a scope; else
 * NULL. To be freed. */
char *function_name_by_place(Dwarf_Die *function);

/* Where its definition stands in its file; 0 when that is not told. */
int function_first_line(Dwarf_Die *function);

#endif
