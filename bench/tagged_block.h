/*
 * Heap blocks that carry a tag in their first and in their last four bytes.
 *
 * The tag depends on the address and the size of the block, so a block that was handed out twice,
 * reclaimed while in use, moved or cut short is noticed when it is checked, which happens at the
 * latest when it is freed.
 */
#ifndef BENCH_TAGGED_BLOCK_H
#define BENCH_TAGGED_BLOCK_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

struct tagged_block {
    char *memory;
    size_t size;
};

/* Smaller ones have no room for both tags. */
#define TAGGED_BLOCK_LEAST (2 * sizeof(uint32_t))

static inline uint32_t tagged_block_tag(struct tagged_block block) {
    return ((uint32_t)((uintptr_t)block.memory >> 3) ^ (uint32_t)block.size) * 2654435761u;
}

static inline struct tagged_block tagged_block_allocate(size_t size) {
    struct tagged_block block = {malloc(size), size};
    CHECK(block.memory, "malloc returns memory");
    uint32_t tag = tagged_block_tag(block);
    memcpy(block.memory, &tag, sizeof(tag));
    memcpy(block.memory + size - sizeof(tag), &tag, sizeof(tag));
    return block;
}

static inline void tagged_block_check(struct tagged_block block) {
    uint32_t tag = tagged_block_tag(block);
    CHECK(memcmp(block.memory, &tag, sizeof(tag)) == 0, "a block keeps its first bytes");
    CHECK(memcmp(block.memory + block.size - sizeof(tag), &tag, sizeof(tag)) == 0,
          "a block keeps its last bytes");
}

static inline void tagged_block_free(struct tagged_block block) {
    tagged_block_check(block);
    free(block.memory);
}

#endif
