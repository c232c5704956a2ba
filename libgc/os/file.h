/* Reading a small file as a whole, as those that the kernel shows in /proc and /sys.
 *
 * Opening shortly occupies the lowest free descriptor: for threads of the program's, inside a call
 * of its (os/descriptor.h). Allocates nothing.
 */
#ifndef TITHE_OS_FILE_H
#define TITHE_OS_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The beginning of the file, as a string. False when it cannot be read or is empty. */
bool file_read(const char *path, char *text, size_t room);

#endif
