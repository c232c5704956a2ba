/* The few requests to devices that the collector must know of. */
#ifndef TITHE_SHIM_IOCTL_H
#define TITHE_SHIM_IOCTL_H

#include <stdbool.h>

/* Once, from the constructor. */
void ioctl_start(void);

/* Whether it is one of these; then the other one makes it. */
bool ioctl_is_watched(unsigned long operation);
int ioctl_seen(int fd, unsigned long operation, void *argument);

#endif
