/* The locks of the heap, and the change of colours under them, with which every mark begins.
 *
 * A mark begins when every span is swept, with all of these locks held: from then on what was black
 * is white, and what is allocated is black.
 */
#ifndef TITHE_CYCLE_COLOURS_H
#define TITHE_CYCLE_COLOURS_H

struct cycle;

/* The locks that nobody may hold in a stop or a fork, from the outermost: the registry, the sets,
 * the pages. Unlocking forgets the threads that were found gone meanwhile. */
void colours_lock_heap(void);
void colours_unlock_heap(void);

/* The same, and all is swept. */
void colours_lock_swept_heap(void);

/* With those locks, all being swept: swaps the colours, and marks what is held. The heap's pages
 * must have been protected before, or the world be stopped. */
void colours_change(struct cycle *cycle);

#endif
