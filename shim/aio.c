/* Asynchronous input and output: waiting for it, and what Linux's own kind, of which libaio's calls
 * are the thin cover, holds meanwhile.
 *
 * The kernel keeps the address of each control block, its buffer and its datum until it tells of
 * the block's end. libaio's calls, which return negative errors, are made here without libaio: it
 * may not be where we could find it. A program that reads the kernel's ring of events by itself
 * keeps what it submitted until it uses the block again.
 */
#include "kernel_held.h"
#include "real.h"
#include "signals.h"
#include "unbroken.h"

#include "os/syscall.h"

#include <aio.h>
#include <linux/aio_abi.h>

enum { BYTES_PER_REQUEST = 64 }; /* of stack, used by glibc for each in the list */

TITHE_EXPORT int aio_suspend(const struct aiocb *const list[], int count,
                             const struct timespec *timeout) {
    struct deadline deadline = deadline_after(CLOCK_MONOTONIC, timeout);
    struct timespec left;
    size_t depth = CALL_DEPTH + (size_t)count * BYTES_PER_REQUEST;
    return UNBROKEN_WHILE(depth, REAL(aio_suspend)(list, count, deadline_left(&deadline, &left)),
                          true);
}

TITHE_EXPORT int aio_suspend64(const struct aiocb64 *const list[], int count,
                               const struct timespec *timeout) {
    return aio_suspend((const struct aiocb *const *)list, count, timeout);
}

/* A control block is aligned, so the address can stand for three names. */
static void hold(aio_context_t context, const struct iocb *block, bool holds) {
    uintptr_t name = (uintptr_t)block;
    kernel_held_set(HELD_BY_AIO, context, name, holds ? name : 0);
    kernel_held_set(HELD_BY_AIO, context, name + 1, holds ? block->aio_data : 0);
    kernel_held_set(HELD_BY_AIO, context, name + 2, holds ? block->aio_buf : 0);
}

int io_submit(aio_context_t context, long count, struct iocb *blocks[]);
TITHE_EXPORT int io_submit(aio_context_t context, long count, struct iocb *blocks[]) {
    for (long i = 0; i < count; i++)
        hold(context, blocks[i], true);
    int accepted = system_call(SYS_io_submit, context, count, blocks);
    for (long i = accepted < 0 ? 0 : accepted; i < count; i++)
        hold(context, blocks[i], false);
    return accepted;
}

/* Makes one of the two calls that take events out of the ring. */
static int get_events(aio_context_t context, long least, long most, struct io_event *events,
                      const struct timespec *timeout, const void *mask) {
    struct deadline deadline = deadline_after(CLOCK_MONOTONIC, timeout);
    struct timespec left;
    struct unbroken call = unbroken_begin();
    int count;
    do {
        const struct timespec *now = deadline_left(&deadline, &left);
        count = mask ? system_call(SYS_io_pgetevents, context, least, most, events, now, mask)
                     : system_call(SYS_io_getevents, context, least, most, events, now);
    } while (count == -EINTR && unbroken_was_broken(&call, CALL_DEPTH) && unbroken_again(&call));
    for (int i = 0; i < count; i++)
        hold(context, (const struct iocb *)events[i].obj, false);
    return count;
}

int io_getevents(aio_context_t context, long least, long most, struct io_event *events,
                 struct timespec *timeout);
TITHE_EXPORT int io_getevents(aio_context_t context, long least, long most, struct io_event *events,
                              struct timespec *timeout) {
    return get_events(context, least, most, events, timeout, NULL);
}

int io_pgetevents(aio_context_t context, long least, long most, struct io_event *events,
                  struct timespec *timeout, sigset_t *mask);
TITHE_EXPORT int io_pgetevents(aio_context_t context, long least, long most,
                               struct io_event *events, struct timespec *timeout, sigset_t *mask) {
    sigset_t copy;
    struct {
        const sigset_t *set;
        size_t bytes;
    } argument = {signals_without_stop(mask, &copy), _NSIG / 8};
    return get_events(context, least, most, events, timeout, &argument);
}

int io_destroy(aio_context_t context);
TITHE_EXPORT int io_destroy(aio_context_t context) {
    int result = system_call(SYS_io_destroy, context);
    if (result == 0)
        kernel_held_drop(HELD_BY_AIO, context);
    return result;
}
