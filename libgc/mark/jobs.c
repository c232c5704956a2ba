/* Jobs in a chain of blocks; see jobs.h. */
#include "mark/jobs.h"

#include "heap/metadata.h"
#include "os/park.h"

enum {
    BLOCK_BYTES = 8192,
    BLOCK_JOBS = (BLOCK_BYTES - 16) / sizeof(struct job),
    ROOT_PIECE = 128 << 10,
    ROOT_OVERLAP = 8,      /* a word may begin in one piece and end in the next */
    PAGES_PIECE = 16 << 10 /* the stop waits for the last: some 20 us */
};

/* What is handed out of a long job at once; those of other kinds are done whole. */
static const struct {
    size_t bytes, overlap;
} pieces[] = {[JOB_ROOTS] = {ROOT_PIECE, ROOT_OVERLAP},
              [JOB_SAFE_ROOTS] = {ROOT_PIECE, ROOT_OVERLAP},
              [JOB_HEAP_PAGES] = {PAGES_PIECE, 0}};

struct block {
    struct block *next;
    unsigned taken, filled;
    struct job jobs[BLOCK_JOBS];
};

static struct lock lock = LOCK_OF(RANK_JOBS);
static struct block *first, *last;
static volatile unsigned left; /* under the lock; read without it as a glance */

static struct block *block_append(void) {
    struct block *block = metadata_take(sizeof *block);
    if (block == NULL)
        return NULL;
    block->next = NULL;
    block->taken = block->filled = 0;
    *(last ? &last->next : &first) = block;
    return last = block;
}

bool jobs_add(struct job job) {
    if (job.start >= job.end)
        return true;
    lock_take(&lock);
    struct block *block = last && last->filled < BLOCK_JOBS ? last : block_append();
    if (block) {
        block->jobs[block->filled++] = job;
        AO_int_store_release(&left, left + 1);
    }
    lock_give(&lock);
    return block != NULL;
}

static void first_remove(void) {
    struct block *block = first;
    AO_int_store_release(&left, left - 1);
    if (++block->taken < block->filled)
        return;
    first = block->next;
    if (first == NULL)
        last = NULL;
    metadata_give(block, sizeof *block);
}

bool jobs_take(struct job *job) {
    if (!jobs_are_left())
        return false;
    lock_take(&lock);
    bool found = first != NULL;
    if (found) {
        struct job *oldest = &first->jobs[first->taken];
        *job = *oldest;
        size_t piece = pieces[job->kind].bytes;
        if (piece > 0 && job->end - job->start > piece) {
            oldest->start += piece;
            job->end = oldest->start + pieces[job->kind].overlap;
        } else {
            first_remove();
        }
    }
    lock_give(&lock);
    return found;
}

bool jobs_are_left(void) { return AO_int_load_acquire(&left) > 0; }

void jobs_clear(void) {
    lock_take(&lock);
    while (first)
        first_remove();
    lock_give(&lock);
}

void jobs_lock(void) { lock_take(&lock); }
void jobs_unlock(void) { lock_give(&lock); }
