/* Cases of lost and of kept memory, each run in a process of its own; see README.md.
 *
 * A case says how much it loses in all. What must stay is kept in memory that the case names.
 */
#ifndef TITHE_TEST_CORPUS_H
#define TITHE_TEST_CORPUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct leak_case {
    const char *name;
    long blocks, bytes; /* lost, by this process or, if in_child, by its child */
    void (*run)(void);
    int in_child;
};

extern const struct leak_case blocks_cases[], threads_cases[], memory_cases[], process_cases[],
    clean_cases[], classes_cases[];

/* A case may leave something here for as long as the process lives. */
extern void *volatile corpus_kept[16];

/* The compiler must think that the pointer is used. */
#define CORPUS_USE(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

#ifdef __cplusplus
}
#endif
#endif
