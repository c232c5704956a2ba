/* System calls of ours that fail when a test wants them to: the option fault=CALL/N/ERRNO.
 *
 * What the kernel refuses once in a thousand runs must not be what nobody has tried. Every call
 * that goes through os/syscall.h can be made to fail without being made, the N-th of its name in
 * this process, or each from the N-th on. Calls that are the program's own, passed on by the shim,
 * do not come here. Without the option a call of ours costs one more test of a byte that never
 * changes.
 */
#ifndef TITHE_OS_FAULTS_H
#define TITHE_OS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

/* Set while the options are read, before any thread of ours exists; constant afterwards. */
extern bool faults_wanted __attribute__((visibility("hidden")));

/* The value of the option: "CALL/N/ERRNO", "CALL/N+/ERRNO" or "count". False when it has no
 * meaning.
 */
bool faults_set(const char *text, size_t length);

/* What is to be returned in place of making this call: a negative errno, or 0 to make it. For a
 * futex, second tells waiting from waking, which cannot fail. Any thread, any context. */
long faults_answer(long number, long second) __attribute__((visibility("hidden"), cold));

/* Says how many calls of each name came by, if the option is "count"; once, at the exit. */
void faults_say(void);

#endif
