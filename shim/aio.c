/* Asynchronous input and output: waiting for it, and what Linux's own kind, of which libaio's calls
 * are the thin cover, holds meanwhile.
 *
 * The kernel keeps the address of each control block, its buffer and its datum until it tells of
 * the block's end, and copies the rest of the block, so one block may be used for many requests.
 * Ends are told in a ring that the program may read by itself; between two submissions no more of
 * them come than the ring has room for, so none is missed by a look at it before each. A context
 * that was set up by a call which nobody saw, or tells of an end of which nobody saw the beginning,
 * is opaque: while there is one nothing is collected. libaio's calls, which return negative errors,
 * are made here without libaio: it may not be where we could find it.
 */
#include "linux_aio.h"

#include "real.h"
#include "requests.h"
#include "signals.h"
#include "unbroken.h"

#include "cycle/cycle.h"
#include "os/maps.h"
#include "os/syscall.h"
#include "roots/unknown.h"

#include <aio.h>
#include <stddef.h>
#include <sys/uio.h>

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

struct context {
    struct context *next;
    aio_context_t name; /* where its ring lies */
    unsigned seen;      /* the place in the ring that was not looked at yet */
    bool opaque, mapped;
    struct requests requests; /* by the address of the control block */
};

static struct context *first;
static bool meets_unknown;

static struct context *context_of(aio_context_t name) {
    struct context *context = first;
    while (context && context->name != name)
        context = context->next;
    return context;
}

static void forget(struct context *context) {
    struct context **at = &first;
    while (*at != context)
        at = &(*at)->next;
    *at = context->next;
    requests_drop_all(&context->requests);
    requests_give(context, sizeof *context);
}

void aio_set_up(aio_context_t name) {
    struct requests_lock lock = requests_lock();
    struct context *context = context_of(name);
    if (context)
        forget(context);
    context = requests_take(sizeof *context);
    if (context == NULL) {
        requests_lose();
    } else {
        context->name = name;
        context->next = first;
        first = context;
    }
    requests_unlock(lock);
}

void aio_destroyed(aio_context_t name) {
    struct requests_lock lock = requests_lock();
    struct context *context = context_of(name);
    if (context)
        forget(context);
    requests_unlock(lock);
}

/* The kernel's struct aio_ring, before its events. */
struct ring_head {
    unsigned id, count, head, tail, magic, compatible, incompatible, bytes;
};

enum { RING_MAGIC = 0xa10a10a1, EVENTS_AT_ONCE = 16 };

static bool read_events(const struct context *context, unsigned count, const struct ring_head *ring,
                        struct io_event *events) {
    return requests_read(events, context->name + ring->bytes + context->seen * sizeof *events,
                         count * sizeof *events);
}

static void look(struct context *context) {
    struct io_event events[EVENTS_AT_ONCE];
    struct ring_head ring;
    if (!requests_read(&ring, context->name, sizeof ring) || ring.magic != RING_MAGIC ||
        ring.tail >= ring.count)
        return;
    while (context->seen != ring.tail) {
        unsigned end = context->seen < ring.tail ? ring.tail : ring.count;
        unsigned count =
            end - context->seen < EVENTS_AT_ONCE ? end - context->seen : EVENTS_AT_ONCE;
        if (!read_events(context, count, &ring, events))
            return;
        for (unsigned i = 0; i < count; i++)
            context->opaque |= !requests_finish(&context->requests, events[i].obj);
        context->seen = (context->seen + count) % ring.count;
    }
}

void aio_look(aio_context_t name) {
    if (cycle_is_ended())
        return;
    struct requests_lock lock = requests_lock();
    struct context *context = context_of(name);
    if (context)
        look(context);
    requests_unlock(lock);
}

static void record(struct context *context, const struct iocb *address) {
    struct iocb block;
    uint64_t name = (uintptr_t)address;
    if (!requests_read(&block, name, sizeof block))
        return; /* nor can the kernel */
    uint64_t words[] = {name, block.aio_data, block.aio_buf};
    requests_submit(&context->requests, name, words, sizeof words / sizeof *words);
    bool vectors =
        block.aio_lio_opcode == IOCB_CMD_PREADV || block.aio_lio_opcode == IOCB_CMD_PWRITEV;
    for (uint64_t i = 0; vectors && i < block.aio_nbytes; i++) {
        struct iovec vector;
        if (!requests_read(&vector, block.aio_buf + i * sizeof vector, sizeof vector))
            return;
        requests_add(&context->requests, name, (uintptr_t)vector.iov_base);
    }
}

void aio_before_submit(aio_context_t name, long count, struct iocb **blocks) {
    if (cycle_is_ended())
        return;
    struct requests_lock lock = requests_lock();
    struct context *context = context_of(name);
    if (context)
        look(context);
    for (long i = 0; context && i < count; i++) {
        struct iocb *block;
        if (!requests_read(&block, (uintptr_t)&blocks[i], sizeof block))
            break;
        record(context, block);
    }
    requests_unlock(lock);
}

/* What was not accepted may be read from the list once more, since it is not given away. */
void aio_after_submit(aio_context_t name, long count, struct iocb **blocks, long result) {
    long accepted = result < 0 ? 0 : result;
    if (accepted >= count || cycle_is_ended())
        return;
    struct requests_lock lock = requests_lock();
    struct context *context = context_of(name);
    for (long i = accepted; context && i < count; i++) {
        struct iocb *block;
        if (!requests_read(&block, (uintptr_t)&blocks[i], sizeof block))
            break;
        requests_finish(&context->requests, (uintptr_t)block);
    }
    requests_unlock(lock);
}

void aio_cancelled(aio_context_t name, const struct iocb *block) {
    struct requests_lock lock = requests_lock();
    struct context *context = context_of(name);
    if (context)
        requests_finish(&context->requests, (uintptr_t)block);
    requests_unlock(lock);
}

void aio_begin_walk(void) {
    meets_unknown = false;
    for (struct context *context = first; context; context = context->next) {
        context->mapped = false;
        if (requests_can_be_read())
            look(context);
    }
}

void aio_visit_map(const struct map *map) {
    struct context *context = context_of(map->start);
    if (context)
        context->mapped = true;
    else
        meets_unknown = true;
}

void aio_end_walk(bool stopped) {
    if (meets_unknown)
        roots_cannot_know("a context of asynchronous requests was set up unseen");
    for (struct context *context = first, *next; context; context = next) {
        next = context->next;
        if (context->mapped && context->opaque)
            roots_cannot_know("asynchronous requests were submitted unseen");
        if (!context->mapped && stopped)
            forget(context);
    }
}

int io_setup(unsigned count, aio_context_t *context);
TITHE_EXPORT int io_setup(unsigned count, aio_context_t *context) {
    int result = system_call(SYS_io_setup, count, context);
    if (result == 0)
        aio_set_up(*context);
    return result;
}

int io_submit(aio_context_t context, long count, struct iocb *blocks[]);
TITHE_EXPORT int io_submit(aio_context_t context, long count, struct iocb *blocks[]) {
    aio_before_submit(context, count, blocks);
    int accepted = system_call(SYS_io_submit, context, count, blocks);
    aio_after_submit(context, count, blocks, accepted);
    return accepted;
}

int io_cancel(aio_context_t context, struct iocb *block, struct io_event *event);
TITHE_EXPORT int io_cancel(aio_context_t context, struct iocb *block, struct io_event *event) {
    int result = system_call(SYS_io_cancel, context, block, event);
    if (result == 0)
        aio_cancelled(context, block);
    return result;
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
    aio_look(context);
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
        aio_destroyed(context);
    return result;
}
