/*
 * The one way in which a benchmark fails: with a message and exit status 1.
 *
 * Unlike assert(), a CHECK stays in whatever way the benchmark is compiled, so that an allocator
 * never looks fast because it handed out memory that was still in use.
 */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(holds, expectation)                                                                  \
    do {                                                                                           \
        if (!(holds))                                                                              \
            fail(__FILE__, __LINE__, expectation);                                                 \
    } while (0)

static _Noreturn inline void fail(const char *file, int line, const char *expectation) {
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, expectation);
    exit(1);
}

#endif
