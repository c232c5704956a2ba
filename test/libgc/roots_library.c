/* A library to be loaded by test/libgc/roots_test.c: data of its own that hold pointers. */
#include <stddef.h>

enum { SLOTS = 300 };

void *library_slots[SLOTS];
void *library_first_slots[SLOTS] = {(void *)1};
