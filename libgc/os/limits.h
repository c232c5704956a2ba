/* What the system allows this process: memory, system calls.
 *
 * Memory is asked for once, when first needed; any thread. Its limits are those of the
 * process's control groups, version 2 or 1, all the way up, as far as /sys/fs/cgroup shows them.
 */
#ifndef TITHE_OS_LIMITS_H
#define TITHE_OS_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of memory, by the option or the control group; SIZE_MAX when there is no limit. */
size_t limits_memory(void);

/* Bytes of memory the process has now; 0 when /proc does not tell. In a thread of the program's. */
size_t limits_resident(void);

/* True unless the administrator wants no huge pages. In a thread of the program's, once. */
bool limits_huge_pages(void);

/* True while a seccomp filter is in force: service filters commonly kill for unusual calls. */
bool limits_filtered(void);

#endif
