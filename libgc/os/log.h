/* What the collector says: single lines, each written with one write(2), never through stdio.
 *
 * Nothing is written unless asked for (statistics) or something is wrong (a warning, or the abort
 * message). Lines go to standard error as it was when log_keep_stderr was called, so that a program
 * which closes it at exit does not lose them. Safe without any lock; not from the stop handler.
 */
#ifndef TITHE_OS_LOG_H
#define TITHE_OS_LOG_H

#include <stdbool.h>

/* Writes "tithe: " and the formatted text and a newline. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, then abort(): our own state or the program's use of the heap is inconsistent. */
void log_fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* True once somebody asked for lines, by one of the functions below. */
bool log_is_wanted(void);

/* The same as log_line, but only the first time at this place, and only if lines are wanted: a line
 * more on standard error can break a program that did nothing wrong. */
#define log_once(...)                                                                              \
    do {                                                                                           \
        static volatile char said;                                                                 \
        if (!said && log_is_wanted()) {                                                            \
            said = 1;                                                                              \
            log_line(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

/* Keeps a private duplicate of standard error, out of the program's way, for later lines. */
void log_keep_stderr(void);

/* Appends later lines to a file instead. False (and a line said) when it cannot be opened. */
bool log_to_file(const char *path);

#endif
