/* Reading again what was written while marking ran.
 *
 * A marked object was read once; if its page was written since, it is read again. What is white
 * need not be, and what is grey will be anyway.
 */
#ifndef TITHE_MARK_RESCAN_H
#define TITHE_MARK_RESCAN_H

#include "mark/jobs.h"

/* Adds jobs for the written pages of the whole heap. stopped: the world is, and this is the last
 * time. False when out of memory. */
bool rescan_plan_heap(bool stopped);

/* Runs a job of any kind. */
void rescan_run(struct marker *marker, const struct job *job);

/* Calls visit for root memory that could not be read since it was last asked or told to forget: it
 * was closed to us or had gone. It may be open again, unwritten, when the world is stopped, and
 * must then be read. False when there was too much of it to remember. While no marker is at work.
 */
bool rescan_take_missed(void (*visit)(uintptr_t start, uintptr_t end));
void rescan_forget_missed(void);

/* Runs a job about a stretch of maps, which is the roots' to know. Set before there are such jobs.
 */
extern void (*rescan_stretch_hook)(const struct job *job);

/* Any marker that has found written pages tells how many bytes. */
void rescan_count_written(size_t bytes);

/* How many bytes of written pages were found since the last call. */
size_t rescan_take_count(void);

/* True when more than so many bytes of the heap's pages were written and have not been found yet;
 * false where the kernel does not tell. Asking takes about 0.3 ms a GiB, and several times that
 * when it is so. */
bool rescan_is_behind(size_t bytes);

#endif
