/* Words that the program gave the kernel to keep, held as roots until it takes them back. */
#ifndef TITHE_SHIM_KERNEL_HELD_H
#define TITHE_SHIM_KERNEL_HELD_H

#include <stdbool.h>
#include <stdint.h>

/* Where a word is kept: who holds it, and under which two names. */
enum holder { HELD_BY_EPOLL, HELD_BY_TIMER, HELD_BY_QUEUE, HELD_AS_SIGNAL_STACK };

/* The holder now keeps word under these names, in place of what it kept there before. Words that
 * are no addresses of ours are not recorded. Returns what it kept. */
uint64_t kernel_held_set(enum holder holder, uint64_t first, uint64_t second, uint64_t word);

/* The same with requests_lock. */
uint64_t kernel_held_set_locked(enum holder holder, uint64_t first, uint64_t second, uint64_t word);

/* If the holder keeps an address in the range under any two names, it keeps the range's start under
 * the first of them and this second one, too, and the answer is true. */
bool kernel_held_note(enum holder holder, uint64_t start, uint64_t bytes, uint64_t second);

/* Drops what epoll descriptors held that are closed by now; by a thread of the program's. */
void kernel_held_drop_closed(void);

/* What bare calls concern, under the kernel's own names: timers and notifications of queues. */
struct sigevent;
void kernel_held_timer_made(int timer, const struct sigevent *event);
void kernel_held_timer_deleted(int timer);
void kernel_held_notification(int queue, uint64_t word);
void kernel_held_notified(int queue, uint64_t word, bool accepted);

/* The holder forgets what it kept under all other first names. In the child of a fork, with
 * requests_lock. */
void kernel_held_keep_only(enum holder holder, uint64_t first);

#endif
