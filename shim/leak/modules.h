/* The loaded objects that addresses of interest lie in, also after they were unloaded.
 *
 * An object is learned when an address in it is first met, from the loader's lock-free look-up, and
 * is never forgotten; so there is a name for code that is gone when a report is made. A generation
 * is the time between two moments at which objects were found to be gone.
 */
#ifndef TITHE_SHIM_LEAK_MODULES_H
#define TITHE_SHIM_LEAK_MODULES_H

#include <atomic_ops.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUILD_ID_MOST = 32, MODULE_PATH_MOST = 472 };

struct module {
    uintptr_t start, end, bias;
    unsigned from;        /* generations in which it was there: [from, to) */
    volatile unsigned to; /* UINT32_MAX while it is */
    unsigned build_id_bytes;
    unsigned char build_id[BUILD_ID_MOST];
    char path[MODULE_PATH_MOST];
};

/* Reserves the table. Once. */
bool modules_start(void);

/* Learns the object an address lies in, if it is not known. Any thread, in signal handlers, too. */
void modules_learn(uintptr_t address);

/* Finds what is gone of the objects known; then the generation is another one. */
void modules_notice_gone(void);

/* Release; whoever notices writes it. */
extern volatile unsigned modules_now;
static inline unsigned modules_generation(void) { return AO_int_load(&modules_now); }

/* All ever learned: numbers 0 to modules_count() - 1. */
size_t modules_count(void);
const struct module *module_get(size_t number);

/* The object that is loaded at this address now and known; NULL if there is none. */
const struct module *module_at(uintptr_t address);

#endif
