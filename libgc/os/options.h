/* The options, all in one place: TITHE_OPTIONS=key=value:key=value...
 *
 * Read once, in the library's constructor, and constant afterwards; before that every option has
 * its default. An unknown key or a value that makes no sense is one warning and changes nothing.
 * Sizes take the suffixes K, M, G. Each option's meaning is documented here and in doc/options.md;
 * the option fault sets what os/faults.h has.
 */
#ifndef TITHE_OS_OPTIONS_H
#define TITHE_OS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { WORKERS_MOST = 64, WORKERS_AUTOMATIC };

struct options {
    bool stats;          /* stats: one line a cycle and one at exit */
    size_t summary;      /* summary: one line at exit, if the process has this pid */
    size_t gc_every;     /* gc_every: force a collection each so many allocated bytes; 0 off */
    size_t percent;      /* percent: how much the heap may grow between collections */
    size_t min_heap;     /* min_heap: no collection below this many live bytes */
    size_t reserve;      /* reserve: address space reserved for objects */
    size_t stop_budget;  /* stop_budget: milliseconds in which all threads should stop, at first */
    size_t stop_timeout; /* stop_timeout: milliseconds until a thread that won't stop cancels */
    size_t signal;       /* signal: number of the stop signal; 0 chooses a free one */
    bool mask;           /* mask: an address under a tag in its high bits counts */
    bool unaligned;      /* unaligned: look for pointers at every byte, not every fourth */
    char distances[8];   /* distances: a distance to another object counts: "auto", "on", "off" */
    char digits[8];      /* digits: so does an address as an integer of Python's; the same */
    char fixnums[8];     /* fixnums: as a small integer of a language's; the same */
    char doubles[8];     /* doubles: as a floating point number; the same */
    size_t workers;      /* workers: the collector's own threads; WORKERS_AUTOMATIC by processors */
    size_t limit;   /* limit: bytes of memory the process should stay below; 0 asks the system */
    char dirty[8];  /* dirty: how written pages are known: "auto", "uffd", "none" */
    char closed[8]; /* closed: how closed memory is read: "auto", or "open" for the stop */
    char assist[8]; /* assist: how debt is paid: "switch" to another stack, by "signal", "off" */
    bool verify;    /* verify: each mark is looked over when it ends */
    bool collect;   /* collect: off never collects; free still works */
    char quarantine[8];  /* quarantine: freed blocks wait for a mark: "off", "on", "fill" */
    char only[256];      /* only: programs that are collected; none: all */
    char never[256];     /* never: programs that are not */
    char leaks[256];     /* leaks: the directory check files are written to; hunts leaks */
    bool trial;          /* trial: nothing is collected, and what comes back is told */
    size_t depth;        /* depth: how many frames of an allocation stack are kept */
    size_t sample;       /* sample: mean bytes between blocks whose stack is taken; 0 for all */
    size_t check_signal; /* check_signal: this signal asks for a check; 0 none */
    size_t check_every;  /* check_every: seconds between checks; 0 none */
    bool check_collects; /* check_collects: what a check has told is freed */
    bool chains;         /* chains: find out at the exit, too, why live blocks are reachable */
    char log[256];       /* log: file the lines are appended to instead of standard error */
};

extern struct options options;

/* Reads "key=value:..."; NULL or "" reads nothing. */
void options_read(const char *text);

#endif
