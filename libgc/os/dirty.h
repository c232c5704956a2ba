/* Which pages were written: the kernel's record of it, in the best form it offers.
 *
 *   uffd   userfaultfd write protection, resolved by the kernel itself (UFFD_FEATURE_WP_ASYNC), and
 *          the PAGEMAP_SCAN request, Linux 6.7: exact, by range, no signals, and the kernel's own
 *          writes are seen, too
 *   none   nothing is known
 *
 * Chosen by trying, or by the option. dirty_open is called in a thread of the program's
 * (os/descriptor.h); arm, track and fork are the conductor's; take and peek are any thread's, and
 * several may ask at once. Wherever the kernel does not answer, the answer is that all was written.
 */
#ifndef TITHE_OS_DIRTY_H
#define TITHE_OS_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

enum dirty_backend { DIRTY_NONE, DIRTY_USERFAULT };

/* Opens what is needed, again if the program has closed it. */
enum dirty_backend dirty_open(void);

/* "uffd" or "none". */
const char *dirty_name(void);

/* Why it is not "uffd", in a few words; NULL if it is. */
const char *dirty_reason(void);

/* In the child of a fork: everything is to be opened and tracked anew. */
void dirty_after_fork(void);

/* Begins the recording of a cycle. False when it is not to be had, this time at least. */
bool dirty_arm(void);

/* Has writing to these pages recorded from the next dirty_take of them on; once for as long as a
 * map lives, but again does no harm. A reservation may be tracked before it is accessible. False:
 * impossible, as for maps of files. */
bool dirty_track(uintptr_t start, uintptr_t end);

/* The same for pages that took the place of tracked ones while a mark may go on. Any thread. */
void dirty_track_again(uintptr_t start, uintptr_t end);

/* Lets the kernel treat these maps like any others: tracked ones are never one with their untracked
 * neighbours. From now on all of it counts as written. Any thread. False: they were not tracked. */
bool dirty_untrack(uintptr_t start, uintptr_t end);

/* Makes the pages of a tracked range cheap to write to until they are taken again; until then they
 * count as written. False when nothing was done. */
bool dirty_relax(uintptr_t start, uintptr_t end);

/* Calls visit for each run of resident pages that were written since they were last taken, if ever,
 * and takes them: what is written after the visit began is told by the next call. False: unknown.
 */
bool dirty_take(uintptr_t start, uintptr_t end,
                void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context);

/* The same without taking, at its quickest, for a range that is tracked as a whole; pages that were
 * never touched may be told, too. */
bool dirty_peek(uintptr_t start, uintptr_t end,
                void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context);

/* The same for a range with holes and maps that may have lost their tracking, by having been moved
 * or mapped anew: pages of such are told, too, if they are resident. private_only leaves out pages
 * that still equal their file. */
bool dirty_peek_any(uintptr_t start, uintptr_t end, bool private_only,
                    void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context);

/* For a stretch of many maps and what lies between them. Takes the pages of those that are tracked
 * and leaves others alone. */
bool dirty_take_stretch(uintptr_t start, uintptr_t end,
                        void (*visit)(uintptr_t start, uintptr_t end, void *context),
                        void *context);

/* Tells, without taking, of resident pages: of those written, where their map is tracked, and of
 * all others' by untracked. */
bool dirty_peek_stretch(uintptr_t start, uintptr_t end,
                        void (*visit)(uintptr_t start, uintptr_t end, void *context),
                        void (*untracked)(uintptr_t start, uintptr_t end, void *context),
                        void *context);

#endif
