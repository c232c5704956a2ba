/* The search for who leads to whom: from all root memory through all blocks, breadth first, so that
 * chains are short.
 *
 * What it reaches is numbered, and remembers who led to it: eight bytes for each block, and a link
 * (links.h), which the caller prepares. While the program runs, a chain tells what was so at some
 * moment during the search; with the world stopped, stacks are read from the stack pointer on only,
 * and registers count, as they do for the mark. One search at a time.
 */
#ifndef TITHE_SHIM_LEAK_SEARCH_H
#define TITHE_SHIM_LEAK_SEARCH_H

#include "heap/notes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In this order, so that a chain begins on a stack only where nothing else leads to the block.
 * Registers only with the world stopped. */
enum search_roots { SEARCH_DATA, SEARCH_MAPS, SEARCH_STACKS, SEARCH_REGISTERS, SEARCH_KINDS };

/* What the caller wants; each may be NULL. */
struct search_rules {
    bool stopped; /* the world is */
    /* Whether the caller's own tables lie there, which lead to blocks and explain nothing. */
    bool (*owns)(uintptr_t start, uintptr_t end);
    bool (*may_reach)(struct object object, const struct note *note);
    /* Whether only a pointer to the block will do: an address in it as it is, or its start with a
     * tag; no distance, nor what else a mark takes for one. */
    bool (*wants_pointer)(const struct note *note);
    /* Whether what the block of this number leads to counts. */
    bool (*leads_on)(const struct note *note, size_t number);
    void (*reached)(const struct note *note, size_t number);
    void (*written)(const struct note *note); /* of a block that is one of the steps */
};

/* False when out of memory. search_end is due in any case. */
bool search_begin(struct search_rules rules);
void search_end(void);

/* Adds what the roots of a kind lead to, and all that hangs on that. */
void search_roots(enum search_roots kind);

/* Once more through all that was reached, because leads_on answers otherwise now. */
void search_again(void);

/* Numbers given so far: all are below. */
size_t search_count(void);

/* Whether the block that begins there is reached, and by which number. */
bool search_has(uintptr_t address, size_t *number);

/* Adds the steps to the block of a number, or only the last of them, to a line of the check file.
 */
void search_write(size_t number, bool whole);

/* With the world stopped: calls visit for each word in the part of the threads' stacks that is dead
 * now and leads to an object of the heap. */
void search_dead_stacks(void (*visit)(struct object target, size_t offset, void *context));

#endif
