/* Blocks whose only addresses are numbers of the language that loads this.
 *
 * blocks_make returns the address of a new block as an integer; this library remembers it in a form
 * that no collector takes for one. blocks_intact tells how many have kept what was written to them.
 */
#include "blocks.h"

#include "tithe.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 4096, BYTES = 600 };

static uintptr_t hidden[BLOCKS]; /* the complements of the addresses */
static unsigned made;

/* No byte of it is like one of an address of ours. */
static unsigned char byte_of(uintptr_t address, unsigned i) {
    return (address / 16 * 31 + i) & 0x3f;
}

uintptr_t blocks_make(void) {
    unsigned char *block = malloc(BYTES);
    uintptr_t address = (uintptr_t)block;
    if (made == BLOCKS || block == NULL)
        abort();
    for (unsigned i = 0; i < BYTES; i++)
        block[i] = byte_of(address, i);
    hidden[made++] = ~address;
    return address;
}

static int is_intact(uintptr_t address) {
    const unsigned char *block = (const unsigned char *)address;
    if (malloc_usable_size((void *)address) < BYTES)
        return 0;
    for (unsigned i = 0; i < BYTES; i++)
        if (block[i] != byte_of(address, i))
            return 0;
    return 1;
}

unsigned blocks_intact(void) {
    unsigned intact = 0;
    for (unsigned i = 0; i < made; i++)
        intact += is_intact(~hidden[i]);
    return intact;
}

__attribute__((noinline)) static void overwrite_stack(void) {
    volatile unsigned char buffer[65536];
    for (size_t i = 0; i < sizeof buffer; i++)
        buffer[i] = (unsigned char)i;
}

__attribute__((noinline)) static void lose(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        void *volatile lost = malloc(BYTES);
        memset(lost, 0xa5, BYTES);
    }
}

/* Collects, and lets other blocks take the place of what was. */
unsigned blocks_churn(void) {
    for (int round = 0; round < 3; round++) {
        overwrite_stack();
        tithe_collect();
        lose(2 * BLOCKS);
    }
    return blocks_intact();
}
