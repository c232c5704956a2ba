/* Appending text to an extensible cord; see gc/ec.h. It belongs to one thread. */
#ifndef TITHE_CORD_APPEND_H
#define TITHE_CORD_APPEND_H

#include "gc/ec.h"

/* Appends a copy of any characters. */
void cord_append(CORD_ec x, const char *bytes, size_t length);

#endif
