/* Control groups: how much memory the process may use, and how much of that is left.
 *
 * A limit counts everything in its group: other processes, what the kernel keeps for them, files
 * that were read. What the kernel can take back by itself, which is the files, is not counted here.
 * Version 2 and version 1, all groups from the process's own up to the topmost that /sys/fs/cgroup
 * shows; in a namespace that is the container's own. A process may be moved to another group and a
 * limit be changed at any time, so whoever depends on it asks again now and then.
 *
 * Opens files for moments: in a thread of the program's, inside a call of its. Takes no lock, needs
 * little stack.
 */
#ifndef TITHE_OS_GROUPS_H
#define TITHE_OS_GROUPS_H

#include <stdbool.h>
#include <stddef.h>

struct groups_memory {
    size_t limit; /* the least of all; SIZE_MAX when there is none */
    size_t left;  /* until the first of them is reached; SIZE_MAX when there is none */
};

/* False when the system does not tell, for now or ever. */
bool groups_ask(struct groups_memory *memory);

/* Where they are found; tests have trees of their own. */
extern const char *groups_mount, *groups_of_process;

#endif
