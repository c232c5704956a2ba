/* Files as leaves: functions whose characters lie in blocks that are read when somebody looks. */
#ifndef TITHE_CORD_FILE_H
#define TITHE_CORD_FILE_H

#include "cord/tree.h"

/* The characters [start, end) of a leaf, that never change and are collected when nobody looks at
 * them any more. */
struct cord_block {
    const char *bytes;
    size_t start, end;
};

bool cord_is_file(CORD leaf);

/* The block with the i-th character. Takes the file's lock, and reads if the block is not kept. */
struct cord_block cord_file_block(CORD leaf, size_t i);

#endif
