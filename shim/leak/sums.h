/* Blocks summed up by allocation stack: what is lost, what is live, and how that grew.
 *
 * Made anew for each check by the checking thread; only the growth is kept between checks.
 */
#ifndef TITHE_SHIM_LEAK_SUMS_H
#define TITHE_SHIM_LEAK_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUM_SIZES = 8 };

struct sum {
    size_t blocks, bytes; /* of lost ones: the direct ones */
    size_t held_blocks, held_bytes;
    unsigned first, last; /* milliseconds; the oldest and the youngest */
    uintptr_t sample;
    unsigned sizes[SUM_SIZES]; /* in use while their count is not zero */
    unsigned counts[SUM_SIZES];
    size_t other_sizes;
};

struct growth {
    size_t bytes;  /* live at the last check */
    unsigned grew; /* in how many checks in a row */
};

struct sums {
    struct sum *lost, *live; /* by stack number */
    unsigned stacks;
    size_t blocks, bytes; /* of all */
};

/* Sums up the list of lost blocks, which is settled, and all others. NULL when out of memory. */
struct sums *sums_make(void);
void sums_end(void);

/* Compares live bytes with those of the check before; in the first check nothing grew. */
void sums_note_growth(struct sums *sums);
const struct growth *sums_growth(unsigned stack);

/* The lost blocks are freed after this check: they go to the sums of what was collected so far,
 * which lists no sizes. */
void sums_note_collected(const struct sums *sums);
const struct sum *sums_collected(unsigned stack);

/* In the child of a fork: it has collected nothing yet. */
void sums_after_fork(void);

#endif
