/* What the program added to the roots by itself, as libgc's programs do.
 *
 * Mostly these are maps that are roots anyway. Those are read in the walk, once; the rest is read
 * whole after it, since it may be of any kind and lie anywhere. The conductor's alone.
 */
#ifndef TITHE_ROOTS_ADDED_H
#define TITHE_ROOTS_ADDED_H

#include "roots/plan.h"

#include <stdbool.h>

struct map;

/* Room for what was added until now. Before a stop. False when out of memory. */
bool added_make_room(void);

void added_begin(void);

/* In the walk, in the order of addresses: true for a map of which no page is without something that
 * was added. */
bool added_cover(const struct map *map);

/* Plans such a map, which may be read where it is. False when there is no room to remember it. */
bool added_plan_map(struct part part);

/* After the walk: all that was added and not yet planned. */
void added_plan_rest(void);

#endif
