/* Herds: hundreds of objects whose death can be seen.
 *
 * Collecting is conservative, so whoever wants objects dead makes hundreds of them in a frame of
 * their own and asks for most. Hidden addresses are watched by disappearing links. Works with any
 * libgc: nothing here knows which library it runs on.
 */
#ifndef TITHE_TEST_LIBGC_HERD_H
#define TITHE_TEST_LIBGC_HERD_H

#ifndef GC_THREADS
#define GC_THREADS
#endif
#define GC_NO_THREAD_REDIRECTS
#include "gc/gc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { HERD = 300, MOST = 280, FEW = 20 };

/* A link is the hidden address of an object, and 0 once it is dead. */
struct herd {
    void *links[HERD];
};

__attribute__((noinline, unused)) static void clear_stack(void) {
    volatile char frame[20000];
    memset((void *)frame, 0, sizeof frame);
}

/* Twice, because what a first collection finalizes dies in the second. */
__attribute__((unused)) static void collect(void) {
    for (int i = 0; i < 2; i++) {
        clear_stack();
        GC_gcollect();
    }
    GC_invoke_finalizers();
}

__attribute__((unused)) static int living(const struct herd *herd) {
    int count = 0;
    for (int i = 0; i < HERD; i++)
        count += herd->links[i] != NULL;
    return count;
}

/* For the start of an object. The link may still be registered for one that was watched before. */
static inline void watch(struct herd *herd, int index, void *object) {
    GC_unregister_disappearing_link(&herd->links[index]);
    herd->links[index] = (void *)GC_HIDE_POINTER(object);
    if (GC_general_register_disappearing_link(&herd->links[index], object) != GC_SUCCESS)
        abort();
}

/* For what a debugging or finalized allocation returned. */
static inline void watch_client(struct herd *herd, int index, void *object) {
    watch(herd, index, GC_base(object));
}

/* Makes a herd that only this frame knows, and calls the function meanwhile. */
__attribute__((noinline, unused)) static void with_herd(struct herd *where,
                                                        void (*function)(void)) {
    void *volatile objects[HERD];
    for (int i = 0; i < HERD; i++) {
        objects[i] = GC_malloc(32);
        watch(where, i, objects[i]);
    }
    function();
    GC_reachable_here(objects[0]);
}

__attribute__((unused)) static void ignore_warning(char *message, GC_word word) {
    (void)message, (void)word;
}

#endif
