/* A bump allocator with free lists of equal blocks; see metadata.h. */
#include "heap/metadata.h"

#include "heap/layout.h"
#include "os/park.h"

enum { UNIT = 64, STEP = 1 << 18 };

struct free_block {
    struct free_block *next;
};

static struct lock lock = LOCK_OF(RANK_METADATA);
static size_t used; /* bytes of the region handed out so far; under the lock */
static struct free_block *free_blocks[METADATA_LARGEST_REUSED / UNIT + 1];

void metadata_lock(void) { lock_take(&lock); }
void metadata_unlock(void) { lock_give(&lock); }
size_t metadata_bytes_used(void) { return used; }

static size_t units_of(size_t bytes) { return (bytes + UNIT - 1) / UNIT; }

static void *bump(size_t bytes) {
    size_t page = vm_page_bytes();
    size_t start = bytes >= page ? (used + page - 1) & ~(page - 1) : used;
    if (!vm_region_commit_table(&heap.metadata, start + bytes, STEP))
        return NULL;
    used = start + bytes;
    return (void *)(heap.metadata.start + start);
}

void *metadata_take(size_t bytes) {
    size_t units = units_of(bytes);
    void *block = NULL;
    lock_take(&lock);
    if (units * UNIT <= METADATA_LARGEST_REUSED && free_blocks[units]) {
        block = free_blocks[units];
        free_blocks[units] = free_blocks[units]->next;
    } else {
        block = bump(units * UNIT);
    }
    lock_give(&lock);
    return block;
}

void metadata_give(void *block, size_t bytes) {
    struct free_block *freed = block;
    size_t units = units_of(bytes);
    lock_take(&lock);
    freed->next = free_blocks[units];
    free_blocks[units] = freed;
    lock_give(&lock);
}
