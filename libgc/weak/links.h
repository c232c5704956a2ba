/* Disappearing links: words that are set to zero when the object they are about dies.
 *
 * A short link is cleared when its object is no longer reachable but through finalizers; a long one
 * when the object is to be reclaimed. The word itself may hold anything; that it does not keep the
 * object alive is up to whoever registers it. Any thread; these take weak_lock.
 */
#ifndef TITHE_WEAK_LINKS_H
#define TITHE_WEAK_LINKS_H

#include <stddef.h>

enum link_kind { LINK_SHORT, LINK_LONG, LINK_KINDS };

/* libgc's numbers. */
enum link_result { LINK_DONE = 0, LINK_DUPLICATE = 1, LINK_NO_MEMORY = 2, LINK_NOT_FOUND = 4 };

/* A link that is registered already changes its object. */
enum link_result links_register(enum link_kind kind, void **link, const void *object);

/* 1 if it was registered. */
int links_unregister(enum link_kind kind, void **link);

enum link_result links_move(enum link_kind kind, void **link, void **new_link);

size_t links_count(enum link_kind kind);

/* Stopped, with weak_lock: clears the links of dead objects, and forgets those that lie in one. */
void links_clear(enum link_kind kind);
void links_forget_dead(enum link_kind kind);

#endif
