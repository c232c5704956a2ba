/* Warnings, logging, running out of memory, and the end. */
#include "api/api.h"

#include "cycle/cycle.h"
#include "os/log.h"
#include "os/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int log_fd = STDERR_FILENO, output_fd = STDOUT_FILENO, error_fd = STDERR_FILENO;
static bool printing_statistics;

#define PRINT(fd)                                                                                  \
    va_list arguments;                                                                             \
    va_start(arguments, format);                                                                   \
    vdprintf(fd, format, arguments);                                                               \
    va_end(arguments)

void GC_printf(const char *format, ...) { PRINT(output_fd); }
void GC_log_printf(const char *format, ...) { PRINT(log_fd); }
void GC_err_printf(const char *format, ...) { PRINT(error_fd); }

void GC_set_log_fd(int fd) { log_fd = fd; }
void api_log_everything_to(int fd) { output_fd = error_fd = fd; }

/* One write, so that lines of several threads do not mix. */
static void warn(char *message, GC_word word) {
    char line[512];
    snprintf(line, sizeof line, message, word);
    dprintf(log_fd, "%s", line);
}

static GC_warn_proc warn_function = warn;

void GC_set_warn_proc(GC_warn_proc function) { warn_function = function; }
GC_warn_proc GC_get_warn_proc(void) { return warn_function; }

void GC_ignore_warn_proc(char *message, GC_word word) {
    if (printing_statistics)
        warn(message, word);
}

void api_warn(const char *message, GC_word word) { warn_function((char *)message, word); }

static void say_end(const char *message) {
    if (message)
        GC_err_printf("%s\n", message);
}

GC_abort_func GC_on_abort = say_end;

void GC_set_abort_func(GC_abort_func function) { GC_on_abort = function; }
GC_abort_func GC_get_abort_func(void) { return GC_on_abort; }

void api_abort(const char *message) {
    GC_on_abort(message);
    while (secure_getenv("GC_LOOP_ON_ABORT"))
        pause();
    abort();
}

void GC_abort_on_oom(void) {
    GC_err_printf("Insufficient memory for the allocation\n");
    GC_on_abort(NULL);
    exit(EXIT_FAILURE);
}

static void *out_of_memory(size_t bytes) {
    (void)bytes;
    return NULL;
}

GC_oom_func GC_oom_fn = out_of_memory;

void *api_out_of_memory(size_t bytes) {
    sections_tell_failure(bytes);
    api_warn(API_WARNING "Out of memory: %lu MiB of heap in use; returning NULL\n",
             GC_get_heap_size() >> 20);
    return GC_oom_fn(bytes);
}

GC_on_heap_resize_proc GC_on_heap_resize;

void GC_set_oom_fn(GC_oom_func function) { GC_oom_fn = function; }
GC_oom_func GC_get_oom_fn(void) { return GC_oom_fn; }
void GC_set_on_heap_resize(GC_on_heap_resize_proc function) { GC_on_heap_resize = function; }
GC_on_heap_resize_proc GC_get_on_heap_resize(void) { return GC_on_heap_resize; }
