/* The library's beginning; see start.c. */
#ifndef TITHE_SHIM_START_H
#define TITHE_SHIM_START_H

/* Reads TITHE_OPTIONS, the first time it is called with libc's environment in place. */
void start_read_options(void);

#endif
