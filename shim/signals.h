/* Keeping the stop signal out of the program's sight and reach. */
#ifndef TITHE_SHIM_SIGNALS_H
#define TITHE_SHIM_SIGNALS_H

#include <signal.h>

/* Once, from the constructor. */
void signals_start(void);

/* A copy of set without the stop signal, in *copy; NULL for NULL. */
const sigset_t *signals_without_stop(const sigset_t *set, sigset_t *copy);

#endif
