/* What nobody can know: roots that exist and cannot be read.
 *
 * Each class of roots ends in "read" or in "cannot know", and the latter cancels the cycle: nothing
 * is collected, and the log and the statistics say why. Reasons are constant strings, short enough
 * for one line: "a descriptor of io_uring that we do not follow". The first one of a cycle counts.
 */
#ifndef TITHE_ROOTS_UNKNOWN_H
#define TITHE_ROOTS_UNKNOWN_H

#include <stdbool.h>

/* Has the question asked in each cycle: "is there anything you cannot know?" The answer is NULL, or
 * the reason. The conductor asks before it begins, so that no cycle runs in vain and no thread is
 * stopped for it, and again with the world stopped and all locks of the heap held; a question may
 * neither allocate nor wait. At most eight of them, told before there is a second thread; false
 * beyond. */
bool roots_ask(const char *(*question)(bool stopped));

/* Whoever finds out by itself: a marker, a plan, a hook. Any thread, at any time in a cycle. */
void roots_cannot_know(const char *reason);

/* The conductor's. A cycle begins: what was said before is forgotten. */
void unknown_begin(void);

/* Asks all questions. The first reason of this cycle, NULL if there is none. */
const char *unknown_ask(bool stopped);

/* The reason, without asking again. */
const char *unknown_reason(void);

#endif
