/* Joining cords so that no tree gets deep; see join.c. No locks. */
#ifndef TITHE_CORD_JOIN_H
#define TITHE_CORD_JOIN_H

#include "cord/tree.h"

/* x followed by y. */
struct cord_part cord_join(struct cord_part x, struct cord_part y);

#endif
