/* Draining: marking until no grey object is left. */
#ifndef TITHE_MARK_DRAIN_H
#define TITHE_MARK_DRAIN_H

#include "mark/scan.h"

void drain_all(struct marker *marker);

#endif
