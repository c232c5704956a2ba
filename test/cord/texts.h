/* What the files of libcord's suite share: texts, and ways to check what cords are. Each file runs
 * its tests as a suite of its own. */
#ifndef TITHE_TEST_CORD_TEXTS_H
#define TITHE_TEST_CORD_TEXTS_H

#define GC_THREADS
#include "suite.h"

#include "gc/cord.h"
#include "gc/ec.h"
#include "gc/gc.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Status of main, each. */
int cord_files_run(void);
int cord_printing_run(void);
int cord_random_run(void);

static inline void ck_assert_cord(CORD x, const char *bytes, size_t length) {
    ck_assert_uint_eq(CORD_len(x), length);
    ck_assert_int_eq(memcmp(CORD_to_const_char_star(x), bytes, length), 0);
}

static inline void ck_assert_text(CORD x, const char *text) {
    ck_assert_cord(x, text, strlen(text));
}

static inline char letter(size_t i, void *data) {
    (void)data;
    return (char)('a' + i % 26);
}

static inline char nth(size_t i) { return (char)('a' + i % 23); }

/* Every kind of leaf. */
static inline CORD mixed(void) {
    CORD_ec binary;
    CORD_ec_init(binary);
    CORD_ec_append(binary, 'x');
    CORD_ec_append(binary, '\0');
    CORD_ec_append(binary, 'y');
    return CORD_catn(5, "a C string that is long enough to remain one", CORD_from_fn(letter, 0, 30),
                     CORD_ec_to_cord(binary), CORD_nul(3),
                     CORD_substr("another one, of which a part is taken from the middle", 3, 40));
}

/* Whether a function ends the process by abort. */
static inline bool aborts(void (*function)(void)) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        function();
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* A stream of a new file with these contents, and no name. */
static inline FILE *file_of(const char *bytes, size_t length) {
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fflush(file), 0);
    return file;
}

static inline char *contents(size_t length) {
    char *bytes = malloc(length);
    uint32_t state = 1;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)((state = state * 1664525 + 1013904223) >> 24);
    return bytes;
}

static inline int sign(int number) { return (number > 0) - (number < 0); }

#endif
