/* How the other files here read cords: through a position, as programs do, many characters at once.
 * A position belongs to one thread. */
#ifndef TITHE_CORD_POSITION_H
#define TITHE_CORD_POSITION_H

#include "cord/tree.h"

/* The characters in memory around a valid position, the current one among them. */
struct cord_window {
    const char *current;
    size_t before; /* so many lie before the current one */
    size_t ahead;  /* at least 1: the current one and those after it */
};

struct cord_window cord_window(CORD_pos p);

/* Past these characters of the window, in either direction. */
void cord_skip_ahead(CORD_pos p, size_t count);
void cord_skip_back(CORD_pos p, size_t count);

/* Whether the characters in memory are part of the cord, rather than kept for this position. */
bool cord_window_is_leaf(CORD_pos p);

#endif
