/* What a block's contents are, in 32 bits: to find out later whether anybody has written to it.
 *
 * Pages that are not there count as zeros, and stay away. By one thread at a time, in the stop.
 */
#ifndef TITHE_SHIM_LEAK_FINGERPRINT_H
#define TITHE_SHIM_LEAK_FINGERPRINT_H

#include "heap/object.h"

#include <stdint.h>

/* 0 when the contents cannot be read. */
uint32_t fingerprint(struct object object);

#endif
