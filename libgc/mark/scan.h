/* Scanning: from words to objects, and from objects to their words.
 *
 * A word that points anywhere into an allocated white object makes it black, or grey. Between a
 * word and the memory it leads to stand two short lists, so that cache misses overlap: addresses
 * are taken through the page table, their spans' descriptors and their objects' states by the
 * batch, and what was white waits on a stack, its contents being fetched, until most of those that
 * came after it were read. What finds the stack full waits grey in its span, and the span is
 * queued; so does what is found while the queue is long, because objects of the same pages are read
 * faster together; what a marker has not got to when it leaves; and what it gives away because
 * others have nothing to do.
 *
 * The program may run meanwhile, free what is being marked and use its memory anew: only white
 * becomes grey or black and only grey becomes black, by compare-and-swap, and an object turns
 * black before its contents are read, so that whoever rescans written pages knows which objects to
 * read.
 *
 * A marker is one thread's; any number may work at once. It holds no lock but the queue's.
 */
#ifndef TITHE_MARK_SCAN_H
#define TITHE_MARK_SCAN_H

#include "mark/evidence.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses are looked up when there are at least SCAN_ADDRESSES, and so many may come at once. */
enum {
    SCAN_ADDRESSES = 64,
    SCAN_ADDRESSES_ROOM = 2 * SCAN_ADDRESSES,
    SCAN_WEAK = 64,
    SCAN_UNREAD = 256,
    SCAN_SPANS = 16
};

struct marker {
    uintptr_t
        addresses[SCAN_ADDRESSES_ROOM]; /* somewhere in the heap, perhaps with a restriction */
    unsigned address_count;
    uintptr_t
        weak[SCAN_WEAK]; /* the same by weaker evidence, looked up when nothing else is left */
    unsigned weak_count;
    uintptr_t restriction;             /* of the addresses that are being found */
    struct object unread[SCAN_UNREAD]; /* black, their contents to be scanned */
    unsigned unread_count;
    bool gathers; /* what is found waits in its span */

    struct span *taken[SCAN_SPANS]; /* off the queue and still claimed */
    unsigned taken_next, taken_count;
    struct span *claimed[SCAN_SPANS]; /* to be queued */
    unsigned claimed_count;

    size_t marked_objects, marked_bytes;            /* made grey or black by this marker */
    struct evidence_count evidence[EVIDENCE_SORTS]; /* not of addresses */
    size_t scanned;      /* bytes looked through: what work is measured in */
    size_t limit;        /* of scanned: at it, what is in hand goes to the queue */
    unsigned char *copy; /* SCAN_COPY_BYTES, aligned, for foreign memory */
};

enum { SCAN_COPY_BYTES = 32768 };

/* On an address: it keeps an object only if that is of the kind OBJECT_SCANNED. The sort of the
 * evidence is on it, too (mark/evidence.h). */
#define SCAN_PLAIN_ONLY ((uintptr_t)1 << 63)
#define SCAN_RESTRICTIONS ((uintptr_t)255 << EVIDENCE_SORT_SHIFT)

/* What the words of a range are. */
enum scan_mode {
    SCAN_WORDS, /* the contents of memory */
    SCAN_STACK, /* a stack or registers: an address one past an object's end keeps it, too */
    SCAN_CODE   /* machine code, where addresses lie at any byte */
};

/* From now on pointers are only looked for at multiples of their size, as libgc does, outside of
 * machine code. */
void scan_only_aligned(void);

/* An address one past an object's end keeps nothing, on stacks neither. Before the first mark. */
void scan_without_ends(void);

/* From now on the world is stopped, and nobody but markers changes the states of objects; or it
 * runs again. No marker is at work. */
void scan_world_stopped(bool now);

/* Considers every word in [start, end), which must be readable. */
void scan_range(struct marker *marker, uintptr_t start, uintptr_t end, enum scan_mode mode);

/* The same for memory that may vanish or be closed to us: it is copied first. False when not all of
 * it could be read. */
bool scan_foreign(struct marker *marker, uintptr_t start, uintptr_t end, enum scan_mode mode);

/* Considers every word of readable memory, for plain objects only. */
void scan_plain(struct marker *marker, uintptr_t start, uintptr_t end);

/* From now on a word also counts as the address that this makes of it: masked, then shifted to the
 * left. Before the first mark. */
void scan_words_as(uintptr_t mask, unsigned shift);

/* Considers one word. */
void scan_word(struct marker *marker, uintptr_t word);

/* Makes a white object grey. */
void scan_mark(struct marker *marker, struct object object);

/* Makes a white object black without reading it. The world is stopped. */
void scan_keep_unread(struct marker *marker, struct object object);

/* Considers the words of an object, which itself stays as it is; with ignore_self, those that lead
 * into it do not count. The world is stopped and nobody else marks. */
void scan_contents(struct marker *marker, struct object object, bool ignore_self);

/* Scans what this marker has in hand, and what that leads to, until nothing is left or the marker's
 * limit is reached. */
void scan_in_hand(struct marker *marker);

/* Scans the contents of an object again from start to end, which may stick out of it: it is black,
 * or it is large and grey, and its pages were written. */
void scan_again(struct marker *marker, struct object object, uintptr_t start, uintptr_t end);

/* Scans the grey objects of the oldest queued span, or the next slice of a large one. False when
 * none is queued. */
bool scan_next_span(struct marker *marker);

/* Queues whatever the marker holds. */
void scan_give_back(struct marker *marker);

/* Forgets whatever the marker holds; the mark is void. */
void scan_drop(struct marker *marker);

#endif
