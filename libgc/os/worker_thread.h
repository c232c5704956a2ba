/* Threads of the collector's own, made by clone without libc's knowledge.
 *
 * libc goes on believing what it believed: that the program is single-threaded, if it is, and that
 * the last of its threads ends the process. Nothing is allocated for libc and no lock of it is
 * taken, so a thread can be made in the middle of any malloc. The thread's static thread-local
 * memory is a copy of its maker's: initial-exec variables have their maker's values, and libc
 * functions that need a locale or errno work. It must not use anything that libc keeps by thread.
 */
#ifndef TITHE_OS_WORKER_THREAD_H
#define TITHE_OS_WORKER_THREAD_H

#include <stddef.h>
#include <stdint.h>

/* What a thread needs besides its stack: a block of at least this many bytes, page-aligned, which
 * belongs to it until it has ended. */
size_t worker_thread_block_bytes(size_t stack_bytes);

/* Starts function(argument), all signals blocked, with the block as memory. It ends when function
 * returns. *tid is set before the thread runs and cleared by the kernel, with a futex wake, when it
 * has ended. It has the processors of the process, and no real-time priority, whatever the caller's
 * are: with the caller's it might never run. Returns 0 or a negative errno. */
int worker_thread_start(uintptr_t block, size_t stack_bytes, void (*function)(void *),
                        void *argument, volatile unsigned *tid);

/* For a trial in a process of one thread that will soon end, with all signals blocked: a thread
 * made in the same way runs function(argument), which uses nothing thread-local, on what lies below
 * top, at least 32 KiB. Returns 0 or a negative errno. */
int worker_thread_try(uintptr_t top, void (*function)(void *), void *argument,
                      volatile unsigned *tid);

/* Lets a thread that sleeps, and is about to be woken, run where another one of ours may, but not
 * on the caller's processor, if there is another. The kernel wakes a thread where it ran last when
 * the processors were busy just now, though another one is idle; there it would put the caller off,
 * or wait for it. Does nothing on machines with more processors than a cpu_set_t has. */
void worker_thread_keep_off(unsigned tid, unsigned like);

/* Tells the kernel the calling thread's name (15 characters), and makes it so much nicer than the
 * main thread. */
void worker_thread_settle(const char *name, int nicer);

#endif
