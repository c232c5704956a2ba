/* The first own frame of a stack: where somebody asked for memory, rather than what served them.
 *
 * Allocators, libc, the libraries of C++ and Rust, and containers allocate on behalf of their
 * caller and say nothing of who has lost the block. They are told by name or by file; users add
 * their own
 * (--fold). Frames are left out only as long as all before them are.
 */
#ifndef TITHE_SHIM_REPORT_OWN_FRAMES_H
#define TITHE_SHIM_REPORT_OWN_FRAMES_H

#include "report/symbols.h"

#include <stddef.h>

/* A pattern of a function's name or a file's, in which * stands for anything. Lives on. */
void own_frames_fold(const char *pattern);

/* The first frame that is no allocator's, and the first own one, which is the same if there is
 * none. */
void own_frames_find(const struct symbol_frame *frames, size_t count, size_t *called, size_t *own);

/* What runs before main, or before a thread's function. */
bool own_frames_is_startup(const struct symbol_frame *frame);

/* The name without what stands in pointed brackets, if that is long. To be freed. */
char *own_frames_short_name(const char *name);

#endif
