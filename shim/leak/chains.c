/* Which groups, and the lines of their chains; see chains.h. */
#include "leak/chains.h"

#include "leak/dangling.h"
#include "leak/record.h"
#include "leak/search.h"
#include "leak/writer.h"

#include "os/vm.h"

#include <string.h>

enum { MOST_CHAINS = 100 };

static struct {
    bool found;
    unsigned groups[MOST_CHAINS]; /* stacks whose live blocks are to be explained */
    size_t group_count;
    const struct sums *sums;
    struct vm_region first_region;
    unsigned *first; /* by stack: the first number of a block of it, plus one */
} chains;

/* The first block of a stack that is reached is the one with the shortest chain. */
static void note_first(const struct note *note, size_t number) {
    bool counts = note->stack != NOTE_NOBODY && !(note->stack & NOTE_FREED);
    unsigned stack = counts ? note_stack(note) : UINT32_MAX;
    if (stack < chains.sums->stacks && chains.first[stack] == 0)
        chains.first[stack] = number + 1;
}

static bool owns(uintptr_t start, uintptr_t end) {
    uintptr_t sums = (uintptr_t)chains.sums->lost;
    return start < sums + 2 * chains.sums->stacks * sizeof(struct sum) && sums < end;
}

static bool matters_more(const struct sum *live, unsigned stack, unsigned than) {
    bool grows = sums_growth(stack)->grew > 0, other = sums_growth(than)->grew > 0;
    return grows != other ? grows : live[stack].bytes > live[than].bytes;
}

/* Insertion into a short sorted list. */
static void choose_groups(const struct sums *sums) {
    chains.group_count = 0;
    for (unsigned stack = 0; stack < sums->stacks; stack++) {
        size_t at = chains.group_count;
        if (sums->live[stack].blocks == 0)
            continue;
        while (at > 0 && matters_more(sums->live, stack, chains.groups[at - 1]))
            at--;
        if (at == MOST_CHAINS)
            continue;
        size_t after =
            (chains.group_count < MOST_CHAINS ? chains.group_count : MOST_CHAINS - 1) - at;
        memmove(&chains.groups[at + 1], &chains.groups[at], after * sizeof *chains.groups);
        chains.groups[at] = stack;
        if (chains.group_count < MOST_CHAINS)
            chains.group_count++;
    }
}

static bool begin(void) {
    size_t bytes = chains.sums->stacks * sizeof(unsigned);
    if (!vm_region_make(&chains.first_region, bytes))
        return false;
    chains.first = (unsigned *)chains.first_region.start;
    return search_begin((struct search_rules){.owns = owns, .reached = note_first});
}

void chains_find(const struct sums *sums) {
    chains.sums = sums;
    choose_groups(sums);
    if ((chains.group_count == 0 && dangling_count() == 0) || !begin())
        return;
    chains.found = true;
    for (int kind = SEARCH_DATA; kind < SEARCH_KINDS; kind++)
        search_roots(kind);
}

static void write_chain(unsigned stack, size_t last) {
    writer_add("chain %u", stack);
    search_write(last, true);
    writer_add("\n");
}

bool chains_has(uintptr_t address) {
    size_t number;
    return search_has(address, &number);
}

void chains_write_steps(uintptr_t address, bool whole) {
    size_t number;
    if (search_has(address, &number))
        search_write(number, whole);
}

void chains_write(void) {
    for (size_t i = 0; i < chains.group_count && chains.found; i++) {
        unsigned stack = chains.groups[i];
        if (chains.first[stack])
            write_chain(stack, chains.first[stack] - 1);
    }
}

void chains_end(void) {
    search_end();
    vm_region_end(&chains.first_region);
    chains.found = false;
}
