/* What a seccomp filter permits of the system calls that a collection would like to make and could
 * do without.
 *
 * A filter may kill for a call, and there is no other way to find out than to make it. A filter
 * that was in force when the process was started is a container's or a service manager's: it
 * applies to children as well, so each facility is tried once in a child that may die of it. One
 * that came later is the program's own, made without knowing of us: under it nothing of this is
 * permitted.
 */
#ifndef TITHE_OS_PERMITTED_H
#define TITHE_OS_PERMITTED_H

#include <stdbool.h>

enum permission {
    PERMITTED_READING,   /* process_vm_readv */
    PERMITTED_USERFAULT, /* userfaultfd and what goes with it */
    PERMITTED_THREADS,   /* clone, and placing threads on processors */
    PERMITTED_SOCKETS,   /* the listener's */
    PERMISSIONS
};

/* Makes the trials, once, if a filter is in force. The process is copied as by fork, but nobody is
 * told. In a thread of the program's, one at a time, before the other function is first called. */
void permitted_find_out(void);

/* Any thread. True where no filter is in force. */
bool permitted(enum permission permission);

#endif
