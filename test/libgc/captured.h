/* What a function writes to standard output or standard error. */
#ifndef TITHE_TEST_LIBGC_CAPTURED_H
#define TITHE_TEST_LIBGC_CAPTURED_H

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CAPTURED_MOST = 1 << 18 };

/* The text lasts until the next call. */
__attribute__((unused)) static const char *captured(int fd, void (*function)(void)) {
    static char text[CAPTURED_MOST];
    int file = memfd_create("captured", 0), before = dup(fd);
    fflush(NULL);
    dup2(file, fd);
    function();
    fflush(NULL);
    dup2(before, fd);
    close(before);
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = 0;
    close(file);
    return text;
}

#endif
