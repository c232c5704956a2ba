/* A program for libgc under the preload, where malloc's blocks are the collector's, too: what libgc
 * would never free must not die because only places that libgc does not look at lead to it: atomic
 * objects, words that a descriptor leaves out, data that the program excludes.
 */
#include "tithe.h"

#include "gc/gc.h"
#include "gc/gc_typed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 300, BYTES = 200, FILLING = 0x11 };

static char **atomic[BLOCKS], **typed[BLOCKS];
static char *excluded[BLOCKS];

__attribute__((noinline)) static char *make_block(void) {
    char *block = malloc(BYTES);
    memset(block, FILLING, BYTES);
    return block;
}

__attribute__((noinline)) static void make_all(void) {
    GC_word bits[] = {1};
    GC_descr descriptor = GC_make_descriptor(bits, 2);
    for (int i = 0; i < BLOCKS; i++) {
        atomic[i] = GC_MALLOC_ATOMIC(16);
        atomic[i][0] = make_block();
        typed[i] = GC_malloc_explicitly_typed(16, descriptor);
        typed[i][1] = make_block();
        excluded[i] = make_block();
    }
}

static int damaged(const char *block) { return block[0] != FILLING || block[BYTES - 1] != FILLING; }

/* Enough for several cycles, which need the lock that is held. */
static void *lose_blocks(void *unused) {
    for (int i = 0; i < 200000; i++)
        memset(malloc(400), 0x77, 400);
    return unused;
}

int main(void) {
    int lost = 0;
    if (&tithe_collect == NULL) {
        fputs("libgc_hidden: run this under tithe\n", stderr);
        return 1;
    }
    GC_set_no_dls(1);
    GC_INIT();
    GC_exclude_static_roots(excluded, excluded + BLOCKS);
    make_all();
    for (int round = 0; round < 2; round++)
        GC_gcollect();
    for (int i = 0; i < 5000; i++)
        memset(malloc(BYTES), 0x77, BYTES);
    GC_call_with_alloc_lock(lose_blocks, NULL);
    lose_blocks(NULL);
    for (int i = 0; i < BLOCKS; i++)
        lost += damaged(atomic[i][0]) + damaged(typed[i][1]) + damaged(excluded[i]);
    if (lost)
        fprintf(stderr, "libgc_hidden: %d of %d blocks were lost\n", lost, 3 * BLOCKS);
    return lost != 0;
}
