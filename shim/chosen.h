/* Which programs are collected, where a library is preloaded into all of them: the options only and
 * never. */
#ifndef TITHE_SHIM_CHOSEN_H
#define TITHE_SHIM_CHOSEN_H

#include <stdbool.h>

/* By the constructor, once the options are read. A program is known by its binary's name or path,
 * and by the name that it was called by. Where /proc does not tell the binary, by the latter alone.
 */
bool chosen_is_this_program(void);

#endif
