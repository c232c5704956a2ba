/* What the program does to access to memory that came from malloc; see protect.c. */
#ifndef TITHE_SHIM_PROTECT_H
#define TITHE_SHIM_PROTECT_H

#include "heap/closed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if some of the range lies in the part of the heap that is in use. */
bool protect_concerns(const void *address, size_t bytes);

/* Before the kernel is asked for it: the range is about to be closed. Waits for the end of a mark.
 */
void protect_closes(const void *address, size_t bytes, enum closed_kind kind, int protection);

/* After the kernel has opened it. */
void protect_opened(const void *address, size_t bytes);

/* What is unmapped in the heap is kept from others: there is a map without access in its place. */
void protect_fill(const void *address, size_t bytes);

#endif
