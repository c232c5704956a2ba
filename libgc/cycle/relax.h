/* Between cycles nobody asks which pages are written, so the heap's pages are made writable again:
 * otherwise the program would pay a fault for each that it writes to. Some pages at a time; a page
 * that is missed, or made writable too late, merely counts as written.
 *
 * Those of a large heap are then put together into huge ones, which tracking has split where the
 * program wrote: half of what a program pays for a large heap is misses of the TLB. So are those of
 * its metadata. Only where all small pages are there, so that it takes no memory; and not in a
 * process that has forked, because it would get pages of its own where it shares them with its
 * child. It takes so much time at most after each cycle.
 */
#ifndef TITHE_CYCLE_RELAX_H
#define TITHE_CYCLE_RELAX_H

#include <stdbool.h>
#include <stddef.h>

/* Learns what the system allows. In a thread of the program's, before a cycle. */
void relax_prepare(void);

/* A cycle that tracked has ended: by the conductor. */
void relax_begin(void);

/* Before a fork. */
void relax_fork(void);

/* Does some of it, if a processor is idle. False when nothing was left. Workers. */
bool relax_some(void);

/* Whether a thread of the program's that allocates so many bytes should do a piece instead, because
 * no processor is idle: as long as pages are made writable, each fault of another thread interrupts
 * all processors (in Linux, "defer flushes" in do_wp_page), and a worker would be put off its
 * processor in the middle of that. */
bool relax_is_due(size_t bytes);

/* Does that piece. On its alternate stack, frozen: no stop waits for it, no handler leaves it. */
void relax_share(void);

#endif
