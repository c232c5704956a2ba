/* A cache that never has to be emptied: its entries are weak links to values, which are collected
 * when nobody else uses them any more. Written for libgc's gc.h; runs on Debian's library and on
 * ours alike.
 */
#include <gc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 1000, REQUESTS = 500000, USED = 20, VALUE_BYTES = 4000 };

struct value {
    unsigned key;
    char text[VALUE_BYTES];
};

/* The hidden address of each key's value; 0 when there is none. */
static GC_word cache[KEYS];

static struct value *used[USED]; /* by the program, at the moment */
static size_t hits, made, finalized;

static void count_finalized(void *value, void *data) {
    (void)value, (void)data;
    finalized++;
}

/* Under the collector's lock, so that the value cannot die between the look and the use. */
static void *reveal(void *entry) {
    GC_word hidden = *(GC_word *)entry;
    return hidden ? GC_REVEAL_POINTER(hidden) : NULL;
}

static struct value *make(unsigned key) {
    struct value *value = GC_MALLOC_ATOMIC(sizeof *value);
    if (value == NULL) {
        fputs("cache: out of memory\n", stderr);
        exit(1);
    }
    value->key = key;
    snprintf(value->text, sizeof value->text, "the value of %u", key);
    cache[key] = GC_HIDE_POINTER(value);
    GC_GENERAL_REGISTER_DISAPPEARING_LINK((void **)&cache[key], value);
    GC_REGISTER_FINALIZER_NO_ORDER(value, count_finalized, NULL, NULL, NULL);
    made++;
    return value;
}

static struct value *look_up(unsigned key) {
    struct value *value = GC_call_with_alloc_lock(reveal, &cache[key]);
    if (value == NULL)
        return make(key);
    hits++;
    return value;
}

int main(void) {
    GC_INIT();
    srand(1);
    for (int i = 0; i < REQUESTS; i++) {
        struct value *value = look_up(rand() % KEYS);
        used[rand() % USED] = value;
        if (value->text[0] != 't')
            abort();
    }
    printf("%zu hits, %zu values made, %zu collected, heap %zu KiB\n", hits, made, finalized,
           GC_get_heap_size() / 1024);
    return 0;
}
