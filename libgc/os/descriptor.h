/* File descriptors that stay open for long in a process that is not ours.
 *
 * They have high numbers, out of the way of programs that close a descriptor and open another one
 * in its place, and are closed by exec. The program may close them nevertheless, as daemons close
 * all they find, and open files of its own with these numbers: so each remembers which file it is.
 * Opening shortly occupies the lowest free number and is therefore done in a thread of the
 * program's, inside a call of its, never in one of the collector's own.
 */
#ifndef TITHE_OS_DESCRIPTOR_H
#define TITHE_OS_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

struct descriptor {
    long fd; /* -1 when closed */
    uint64_t device, inode;
};

#define DESCRIPTOR_CLOSED                                                                          \
    { -1, 0, 0 }

/* Opens a file for reading, or takes over an open descriptor. False, and closed, when impossible.
 */
bool descriptor_open(struct descriptor *descriptor, const char *path);
bool descriptor_adopt(struct descriptor *descriptor, long fd);

/* True while the number still means the same file. All files without a name in a file system
 * (userfaultfd, eventfd ...) count as the same. */
bool descriptor_is_open(const struct descriptor *descriptor);

/* Closes it, unless the program has. */
void descriptor_close(struct descriptor *descriptor);

#endif
