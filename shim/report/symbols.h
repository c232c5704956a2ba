/* Names for addresses: function, file and line, inline frames, from the files of the modules.
 *
 * By libdw; a module whose file is not the one that ran (another build id) has no names. Each place
 * is looked up once. One thread.
 */
#ifndef TITHE_SHIM_REPORT_SYMBOLS_H
#define TITHE_SHIM_REPORT_SYMBOLS_H

#include "report/check_file.h"

struct symbol_frame {
    const char *function; /* NULL when not known; demangled */
    const char *symbol;   /* the same as it stands in the file */
    const char *file;     /* NULL when not known */
    int line;
    bool inlined;                      /* its caller is the next frame of the same place */
    const struct check_module *module; /* NULL: code without a file */
    int within;                        /* lines from the function's first; without lines, bytes */
    uint64_t
        print; /* of the module's name, the function's, and where in it: survives a new build */
    uint64_t offset; /* in the module's file, as addr2line takes it; without one, the address */
};

struct symbol_place {
    size_t count;
    struct symbol_frame *frames; /* innermost first; at least one */
};

/* The frames at an address of code. Lives until symbols_end. */
const struct symbol_place *symbols_code(const struct check *check, uint64_t address,
                                        unsigned generation);

/* The variable at an address: its name, and how far in it the address lies. NULL when not known. */
const char *symbols_data(const struct check *check, uint64_t address, uint64_t *distance);

/* Tells the warnings that arose, once each. */
void symbols_each_warning(void (*visit)(const char *text, void *context), void *context);

void symbols_end(void);

#endif
