/* Reading memory of the process in a way that survives its going away or being closed.
 *
 * Never faults: a page that vanished is merely not read. One thread at a time opens (maps_open does
 * that); any number may read.
 */
#ifndef TITHE_OS_MEMORY_H
#define TITHE_OS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds a way to read, or finds it open still; in a thread of the program's (os/descriptor.h).
 * False when there is none. */
bool memory_open(void);

/* True while nobody has closed it, and nothing was refused. */
bool memory_is_open(void);

/* In the child of a fork: closes what belongs to the parent. */
void memory_after_fork(void);

/* Copies up to bytes from an address that may vanish meanwhile. Returns how many came; a hole ends
 * the copy, so less than asked for means that the byte after is unreadable. What the program closed
 * to reads is read all the same where the kernel lets us. */
size_t memory_read(void *to, uintptr_t from, size_t bytes);

/* True while memory_read also reads what the program itself has no access to. */
bool memory_reads_closed(void);

/* True where memory can only be read through a file, which the program may close while it runs. */
bool memory_is_read_by_file(void);

/* True once the kernel has refused to read memory for another reason than that there is none: a
 * filter the program has installed since, or no memory of its own. Then what was read is not to be
 * relied on, until memory_open has found a way again. */
bool memory_is_refused(void);

#endif
