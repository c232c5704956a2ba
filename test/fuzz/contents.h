/* A file with what a fuzzer made, for code that takes a path. What that says goes to standard
 * error: -close_fd_mask=2 keeps it off the terminal. */
#ifndef TITHE_TEST_FUZZ_CONTENTS_H
#define TITHE_TEST_FUZZ_CONTENTS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct contents {
    int fd;
    char path[32];
};

static inline struct contents contents_make(const uint8_t *data, size_t bytes) {
    struct contents file = {.fd = memfd_create("fuzz", 0)};
    if (file.fd < 0 || write(file.fd, data, bytes) != (ssize_t)bytes)
        abort();
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static inline void contents_end(struct contents file) { close(file.fd); }

#endif
