/* What the system allows this process: memory, system calls.
 *
 * The memory limit is the option's or else that of the process's control groups (os/groups.h).
 */
#ifndef TITHE_OS_LIMITS_H
#define TITHE_OS_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of memory, by the option or as the control groups were last asked; SIZE_MAX when there is
 * no limit, or none known yet. Any thread. */
size_t limits_memory(void);

/* Asks how many bytes more than now may be used; SIZE_MAX when there is no limit. False when the
 * system does not tell. In a thread of the program's. */
bool limits_memory_left(size_t *left);

/* Bytes of memory the process has now; 0 when /proc does not tell. In a thread of the program's. */
size_t limits_resident(void);

/* True unless the administrator wants no huge pages. In a thread of the program's, once. */
bool limits_huge_pages(void);

/* True while a seccomp filter is in force: service filters commonly kill for unusual calls. */
bool limits_filtered(void);

#endif
