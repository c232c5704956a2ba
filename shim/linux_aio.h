/* What Linux's own asynchronous input and output holds. */
#ifndef TITHE_SHIM_LINUX_AIO_H
#define TITHE_SHIM_LINUX_AIO_H

#include <linux/aio_abi.h>
#include <stdbool.h>

struct map;

/* The kernel has made a context, has ended one, has cancelled a request and said so at once. */
void aio_set_up(aio_context_t context);
void aio_destroyed(aio_context_t context);
void aio_cancelled(aio_context_t context, const struct iocb *block);

/* Around the submitting of requests, of which the kernel accepts some, if result is not negative.
 */
void aio_before_submit(aio_context_t context, long count, struct iocb **blocks);
void aio_after_submit(aio_context_t context, long count, struct iocb **blocks, long result);

/* The program has taken events. */
void aio_look(aio_context_t context);

/* In a walk of the maps, with requests_lock. What has ended when it begins is in the ring when that
 * is read. */
void aio_begin_walk(void);
void aio_visit_map(const struct map *map);
void aio_end_walk(bool stopped);

#endif
