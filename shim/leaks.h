/* tithe leaks: runs a program and reports its leaks, or asks a running one for a report. */
#ifndef TITHE_SHIM_LEAKS_H
#define TITHE_SHIM_LEAKS_H

/* Takes what follows the word leaks; returns the command's exit status. */
int leaks_command(char **arguments);

#endif
