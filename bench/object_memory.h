/*
 * Where the objects of a benchmark come from: malloc, or libgc where BENCH_LIBGC is defined. The
 * threads that use the objects are created here, too, because libgc must know them.
 *
 * object_memory_start() comes first, in the main thread. libgc's stops are reported on standard
 * error, "libgc: stop N ms" each, so that they can be compared with what tithe says of its own.
 */
#ifndef BENCH_OBJECT_MEMORY_H
#define BENCH_OBJECT_MEMORY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "check.h"

#ifdef BENCH_LIBGC

#define GC_THREADS
#define GC_NO_THREAD_REDIRECTS
#include <gc/gc.h>
#include <unistd.h>

#include "clock.h"

/* libgc calls this with its lock held; the second time the other threads run again. */
static inline void observe_collection(GC_EventType event) {
    static uint64_t stopped_at;
    if (event == GC_EVENT_PRE_STOP_WORLD)
        stopped_at = nanoseconds_now();
    else if (event == GC_EVENT_POST_START_WORLD)
        dprintf(STDERR_FILENO, "libgc: stop %.3f ms\n",
                (double)(nanoseconds_now() - stopped_at) * 1e-6);
}

static inline void object_memory_start(bool incremental) {
    GC_INIT();
    GC_set_on_collection_event(observe_collection);
    if (incremental)
        GC_enable_incremental();
    CHECK(GC_is_incremental_mode() == incremental, "libgc collects the way it was told to");
}

static inline void *object_allocate(size_t bytes) { return GC_malloc(bytes); }

static inline void *object_allocate_zeroed(size_t bytes) { return GC_malloc(bytes); }

static inline void object_free(void *object) { GC_free(object); }

static inline int object_thread_create(pthread_t *thread, void *(*run)(void *), void *argument) {
    return GC_pthread_create(thread, NULL, run, argument);
}

static inline int object_thread_join(pthread_t thread) { return GC_pthread_join(thread, NULL); }

#else

static inline void object_memory_start(bool incremental) {
    CHECK(!incremental, "only libgc can be told to collect incrementally");
}

static inline void *object_allocate(size_t bytes) { return malloc(bytes); }

static inline void *object_allocate_zeroed(size_t bytes) { return calloc(1, bytes); }

static inline void object_free(void *object) { free(object); }

static inline int object_thread_create(pthread_t *thread, void *(*run)(void *), void *argument) {
    return pthread_create(thread, NULL, run, argument);
}

static inline int object_thread_join(pthread_t thread) { return pthread_join(thread, NULL); }

#endif

#endif
