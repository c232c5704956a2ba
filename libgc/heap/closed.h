/* What the program did to access to pages of the heap: took it away, or put other memory there.
 *
 * Spans with such pages are marked closed (span.h): markers read them in a way that survives, and
 * frees of their objects come by the slow path. Memory is ours again when its object is freed or
 * collected: what is handed out next can be read and written. A page stays what it was until then,
 * because the program may open it and go on.
 *
 * The shim tells before it asks the kernel, and waits for the end of a mark where a span was not
 * marked closed before; the conductor looks for what came by bare system calls. What is opened
 * again is still read with care until nothing marks. The list has a lock of its own, a leaf. It
 * holds offsets: it is read as a root, and must lead to nothing.
 */
#ifndef TITHE_HEAP_CLOSED_H
#define TITHE_HEAP_CLOSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span;

enum closed_kind {
    CLOSED_PROTECTED,   /* mprotect: ours, with less access than we need */
    CLOSED_KEYED,       /* pkey_mprotect: the same, and behind a protection key */
    CLOSED_GUARDED,     /* MADV_GUARD_INSTALL: empty, no access */
    CLOSED_TO_CHILDREN, /* MADV_DONTFORK: not there in the child of a fork */
    CLOSED_REPLACED     /* mapped over, unmapped or moved away: memory like any other outside */
};

struct closed {
    uintptr_t start, end; /* whole pages */
    enum closed_kind kind;
    int protection; /* as in mprotect(2), where that was told */
};

/* True while there is any. A glance. */
bool closed_exist(void);

/* Adds a range, in place of what was told of these pages. Any thread; or the conductor with all
 * locks of the heap. */
enum closed_told {
    CLOSED_TOO_MANY, /* nothing is known of these pages */
    CLOSED_BEFORE,   /* markers read the spans with care already */
    CLOSED_FRESHLY,  /* a marker that is at work may not, yet */
    CLOSED_OUTDATED
};
enum closed_told closed_tell(struct closed range, bool heap_locked);

/* The same for what was found by looking at maps: nothing is told, and the answer is
 * CLOSED_OUTDATED, if pages were opened or made ours since closed_changes() was this. */
enum closed_told closed_tell_found(struct closed range, bool heap_locked, size_t changes);
size_t closed_changes(void);

/* The program has opened these pages again. Any thread. */
void closed_tell_open(uintptr_t start, uintptr_t end);

/* Makes the whole pages in an object usable that nobody needs any more. Any thread, perhaps with
 * the lock of the span's set. False when the system refuses: then the object must not be reused. */
bool closed_restore(uintptr_t start, size_t bytes);

/* The rest is for whoever has the cycle's lock, perhaps with all locks of the heap. True if all of
 * the range was told as closed. */
bool closed_knows(uintptr_t start, uintptr_t end);

/* While nothing marks: spans in which everything was made usable are no longer closed. */
void closed_settle(void);

/* Those that reach into [start, end), in the order of addresses. */
void closed_each_between(uintptr_t start, uintptr_t end,
                         void (*visit)(const struct closed *range, void *context), void *context);

/* The same for what was opened again since nothing marked: a marker may have found it closed. With
 * all locks of the heap. False if not all of that was remembered. */
bool closed_each_opened(void (*visit)(uintptr_t start, uintptr_t end));

/* Calls visit for each stretch of a part of the heap that is still the heap's own memory. */
void closed_each_own(uintptr_t start, uintptr_t end,
                     void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context);

/* How many are replaced, at most. */
size_t closed_replaced_count(void);

/* In the child of a fork, whose one thread has the heap's locks: what was not to be inherited is
 * not there. */
void closed_after_fork(void);

void closed_lock(void);
void closed_unlock(void);

#endif
