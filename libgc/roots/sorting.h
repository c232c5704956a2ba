/* Sorting in place, where nothing may be allocated. Any thread; each list has its own user. */
#ifndef TITHE_ROOTS_SORTING_H
#define TITHE_ROOTS_SORTING_H

#include <stdbool.h>
#include <stddef.h>

enum { SORTING_LARGEST = 64 /* bytes of an element */ };

/* Puts a list in order, so that no element comes before its predecessor; equal ones in any order.
 * Never more than n log n comparisons, and n where the list is in order already. */
void sort_in_place(void *list, size_t count, size_t bytes,
                   bool (*comes_before)(const void *one, const void *other));

#endif
