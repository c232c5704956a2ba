/* Finalizers: functions called with objects that have become unreachable.
 *
 * The mark decides which objects are ready, by the order that each registration asked for, and
 * keeps them and what they lead to alive; they are called later, by a thread of the program's that
 * holds no lock, in the order in which they were found. An object has one finalizer; one that was
 * called is registered no more. Any thread; functions without a word to the contrary take
 * weak_lock.
 */
#ifndef TITHE_WEAK_FINALIZE_H
#define TITHE_WEAK_FINALIZE_H

#include <stdbool.h>
#include <stddef.h>

struct marker;

enum finalize_order {
    FINALIZE_ORDERED,     /* not before everything that leads to the object was finalized */
    FINALIZE_IGNORE_SELF, /* the same, but the object's pointers to itself do not count */
    FINALIZE_NO_ORDER,
    FINALIZE_UNREACHABLE /* when not even objects that are ready lead to it */
};

typedef void (*finalize_function)(void *object, void *data);

struct finalizer {
    finalize_function function; /* NULL: none */
    void *data;
    enum finalize_order order;
};

/* Gives an object of the heap, by its start, a finalizer, or with a NULL function takes it away;
 * tells in *old which one it had. False when out of memory: then nothing has changed. */
bool finalize_register(void *object, struct finalizer finalizer, struct finalizer *old);

size_t finalize_registered_count(void);

/* How many objects are ready now. No lock. */
size_t finalize_ready_count(void);

/* Calls the finalizers of all objects that are ready, those that become so meanwhile included.
 * Returns how many. The caller holds no lock. */
size_t finalize_run(size_t most);

/* Makes all registered objects ready, reachable or not. */
void finalize_all(void);

/* An object that the last mark found to lead to itself, so that its ordered finalizer will never be
 * called; NULL when all of them were told. A few a cycle are kept to be told. */
const void *finalize_take_looped(void);

/* Called with each object that a mark has found ready, with the world stopped and weak_lock; may be
 * NULL. */
extern void (*finalize_awaited)(void *object);

/* Objects that are strong or weak as the program decides anew in each cycle. False when out of
 * memory. */
enum toggle { TOGGLE_DROP, TOGGLE_STRONG, TOGGLE_WEAK };
extern enum toggle (*finalize_toggle)(void *object);
bool finalize_add_toggled(void *object, bool strong);

/* Stopped, with weak_lock: marks what registrations keep alive, and asks about toggled objects. */
void finalize_push_roots(struct marker *marker);

/* The same, when everything else is marked: finds what is ready, and settles links. */
void finalize_settle(struct marker *marker);

#endif
