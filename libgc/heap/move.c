/* Copying what is there; see move.h. */
#include "heap/move.h"

#include "os/resident.h"
#include "os/vm.h"

#include <stdint.h>
#include <string.h>

enum {
    SPARSE_FROM = 1 << 20,  /* bytes: smaller objects are copied as they are */
    SPARSE_SHARE = 8,       /* of the pages are not there, at least */
    RELEASED_FROM = 8 << 20 /* bytes: what is left of smaller objects is soon used again */
};

static void add_run(uintptr_t start, uintptr_t end, void *context) {
    *(size_t *)context += end - start;
}

static uintptr_t page_end(uintptr_t address) {
    return (address + vm_page_bytes() - 1) & ~(vm_page_bytes() - 1);
}

bool move_is_sparse(const void *from, size_t bytes, bool asks) {
    uintptr_t start = (uintptr_t)from;
    size_t there = 0;
    if (bytes < SPARSE_FROM)
        return false;
    if (!asks || !resident_knows_swapped())
        return true;
    resident_each(start, page_end(start + bytes), false, add_run, &there);
    return there < bytes - bytes / SPARSE_SHARE;
}

static bool is_zero(const char *bytes, size_t count) {
    uint64_t words[8];
    for (; count >= sizeof words; bytes += sizeof words, count -= sizeof words) {
        memcpy(words, bytes, sizeof words);
        if (words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7])
            return false;
    }
    return count == 0;
}

struct copying {
    const struct move *move;
    uintptr_t released; /* where what was given back of from ends */
};

/* Whole huge pages, because part of one stays until the rest is given back, too. */
static void release_behind(struct copying *copying, uintptr_t done) {
    done &= ~(uintptr_t)(VM_HUGE_PAGE_BYTES - 1);
    if (!copying->move->releases || copying->move->bytes < RELEASED_FROM ||
        done < copying->released + VM_HUGE_PAGE_BYTES)
        return;
    vm_release(copying->released, done - copying->released);
    copying->released = done;
}

static void copy_run(uintptr_t start, uintptr_t end, void *context) {
    struct copying *copying = context;
    const struct move *move = copying->move;
    uintptr_t from = (uintptr_t)move->from, all = from + move->bytes;
    size_t step = move->sparse ? vm_page_bytes() : VM_HUGE_PAGE_BYTES;
    for (uintptr_t at = start; at < end && at < all; at += step) {
        size_t bytes = all - at < step ? all - at : step;
        bytes = end - at < bytes ? end - at : bytes;
        if (!move->sparse || !is_zero((const char *)at, bytes))
            memcpy((char *)move->to + (at - from), (const char *)at, bytes);
        release_behind(copying, at + bytes);
    }
}

void move_contents(struct move move) {
    uintptr_t start = (uintptr_t)move.from, end = page_end(start + move.bytes);
    struct copying copying = {&move, start};
    if (move.sparse && move.asks && resident_knows_swapped())
        resident_each(start, end, false, copy_run, &copying);
    else
        copy_run(start, end, &copying);
}
