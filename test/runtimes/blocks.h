/* What the libraries for languages that need one of their own stand on; see blocks.c. */
#ifndef TITHE_TEST_BLOCKS_H
#define TITHE_TEST_BLOCKS_H

#include <stdint.h>

uintptr_t blocks_make(void);

/* How many blocks are as they were made; the same after collecting and allocating. */
unsigned blocks_intact(void);
unsigned blocks_churn(void);

#endif
