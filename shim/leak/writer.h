/* Writing a check file: lines collected in memory, then one file, renamed when it is whole.
 *
 * Uses nothing of libc's that allocates or locks, so that a thread unknown to libc may call.
 */
#ifndef TITHE_SHIM_LEAK_WRITER_H
#define TITHE_SHIM_LEAK_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Remembers the directory, which the program may lose the way to later; by the constructor. */
void writer_start(const char *directory);

/* Begins a text. False when there is no memory. One at a time. */
bool writer_begin(void);

void writer_add(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Adds a text field, percent-encoded. */
void writer_add_text(const char *text);

/* A blank, and how an address differs from the one before it: a sign and hexadecimal digits. A
 * million stacks are told in this way, so it is short and made without printf. */
void writer_add_step(uintptr_t address, uintptr_t before);

/* What was added so far; and its end, without a file. */
const char *writer_text(size_t *bytes);
void writer_drop(void);

/* The first number from one on of which the process has no file: another program may have had it
 * before. */
unsigned writer_free_number(int process);

/* Writes what was added as PROCESS.NUMBER.check. False, and errno's number set, when the file
 * cannot be written. */
bool writer_end(int process, unsigned number, int *error);

/* Where files go, as a descriptor or AT_FDCWD with the path below it. */
int writer_directory(void);

#endif
