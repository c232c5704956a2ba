/* Moving what a large object contains to another one, so that memory which nobody has written to
 * stays free.
 *
 * Only pages that are there are copied, and of those none that is zero. A large object's memory is
 * given back behind the copying, so that both together never need much more than one. Pages are not
 * moved themselves: a marker may read either object meanwhile, and what the kernel moves is no
 * longer tracked, while what is copied counts as written like all that a program writes. By the
 * thread that has both objects, without a lock.
 */
#ifndef TITHE_HEAP_MOVE_H
#define TITHE_HEAP_MOVE_H

#include <stdbool.h>
#include <stddef.h>

/* True when much of the memory may never have been written to: then it should go to an object that
 * is zero. asks: this process's pages can be asked for (os/resident.h); else nothing is known. */
bool move_is_sparse(const void *from, size_t bytes, bool asks);

struct move {
    void *to, *from;
    size_t bytes;
    bool sparse;   /* to is zero, and what is zero in from need not be copied */
    bool asks;     /* as above */
    bool releases; /* from is not needed any more */
};

void move_contents(struct move move);

#endif
