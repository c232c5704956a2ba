/* syscall: a few calls give the kernel pointers, change maps, or lock the program in.
 *
 * All others go on to libc untouched, by a jump, so that what a call leaves on the stack, or that
 * it returns twice, is as ever. What is watched goes on to libc, too, but for what has a wrapper
 * that returns the same.
 */
#include "bare_calls.h"
#include "fork.h"
#include "ioctl.h"
#include "kernel_held.h"
#include "linux_aio.h"
#include "queued.h"
#include "real.h"
#include "rings.h"
#include "sandbox.h"

#include "cycle/cycle.h"
#include "os/memory.h"
#include "os/seventh.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct call {
    long number, a, b, c, d, e, f;
};

static long make(const struct call *call) {
    return REAL(syscall)(call->number, call->a, call->b, call->c, call->d, call->e, call->f);
}

static long set_up_ring(const struct call *call) {
    long result = make(call);
    if (result >= 0)
        rings_set_up(result, (const struct io_uring_params *)call->b);
    return result;
}

static long enter_ring(const struct call *call) {
    rings_before_enter(call->a, call->b, call->d);
    return make(call);
}

enum { REGISTER_SEND_MESSAGE = 31 };

static long register_with_ring(const struct call *call) {
    if (((unsigned)call->b & ~(1u << 31)) == REGISTER_SEND_MESSAGE)
        rings_before_message((const void *)call->c);
    long result = make(call);
    int failure = errno;
    if (result >= 0)
        rings_registered(call->a, call->b, (const void *)call->c, call->d);
    errno = failure;
    return result;
}

static long set_up_aio(const struct call *call) {
    long result = make(call);
    if (result == 0)
        aio_set_up(*(const aio_context_t *)call->b);
    return result;
}

static long destroy_aio(const struct call *call) {
    long result = make(call);
    if (result == 0)
        aio_destroyed(call->a);
    return result;
}

static long submit_aio(const struct call *call) {
    aio_before_submit(call->a, call->b, (struct iocb **)call->c);
    long result = make(call);
    int failure = errno;
    aio_after_submit(call->a, call->b, (struct iocb **)call->c, result);
    errno = failure;
    return result;
}

static long cancel_aio(const struct call *call) {
    long result = make(call);
    if (result == 0)
        aio_cancelled(call->a, (const struct iocb *)call->b);
    return result;
}

/* The value of a signal that a bare call sends: to a process, to a thread, to what a descriptor
 * stands for. */
static long send_value(const struct call *call, int number, const siginfo_t *info, bool to_thread) {
    pid_t process = call->number == SYS_pidfd_send_signal ? 0 : (pid_t)call->a;
    siginfo_t copy = {0};
    if (info && requests_read(&copy, (uintptr_t)info, sizeof copy)) {
        queued_begin(process, number, (uintptr_t)copy.si_value.sival_ptr, to_thread);
        long result = make(call);
        queued_end(number);
        return result;
    }
    return make(call);
}

static long make_timer(const struct call *call) {
    long result = make(call);
    if (result == 0)
        kernel_held_timer_made(*(const int *)call->c, (const struct sigevent *)call->b);
    return result;
}

static long delete_timer(const struct call *call) {
    long result = make(call);
    if (result == 0)
        kernel_held_timer_deleted(call->a);
    return result;
}

/* With SIGEV_THREAD the value leads to 32 bytes that come back, as libc uses it. */
static long notify_of_queue(const struct call *call) {
    struct sigevent event = {0};
    uint64_t words[4] = {0};
    bool known = call->b && requests_read(&event, call->b, sizeof event);
    uint64_t value = known ? (uintptr_t)event.sigev_value.sival_ptr : 0;
    if (known && event.sigev_notify == SIGEV_THREAD && requests_read(words, value, sizeof words))
        value = 0;
    kernel_held_notification(call->a, value);
    for (int i = 0; i < 4; i++)
        queued_keep(QUEUED_ANY, words[i]);
    long result = make(call);
    int failure = errno;
    kernel_held_notified(call->a, value, result == 0);
    errno = failure;
    return result;
}

static long change_epoll(const struct call *call) {
    return epoll_ctl(call->a, call->b, call->c, (struct epoll_event *)call->d);
}

static long lock_in(const struct call *call) {
    bool enters = call->number == SYS_prctl ? sandbox_is_entered_by_prctl((int)call->a)
                                            : sandbox_is_entered((unsigned)call->a);
    if (enters)
        sandbox_enter();
    return make(call);
}

static long ask_device(const struct call *call) {
    if (ioctl_is_watched(call->b))
        return ioctl_seen(call->a, call->b, (void *)call->c);
    return make(call);
}

/* What is done to maps may concern malloc's memory, or what is tracked. */
static long change_maps(const struct call *call) {
    void *address = (void *)call->a;
    switch (call->number) {
    case SYS_mmap:
        return (long)mmap(address, call->b, call->c, call->d, call->e, call->f);
    case SYS_munmap:
        return munmap(address, call->b);
    case SYS_mremap:
        return (long)mremap(address, call->b, call->c, call->d, (void *)call->e);
    case SYS_mprotect:
        return mprotect(address, call->b, call->c);
    case SYS_pkey_mprotect:
        return pkey_mprotect(address, call->b, call->c, call->d);
    default:
        return madvise(address, call->b, call->c);
    }
}

static long make_fork(const void *context) { return make(context); }

static long make_watched(const struct call *call) {
    switch (call->number) {
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mremap:
    case SYS_mprotect:
    case SYS_pkey_mprotect:
    case SYS_madvise:
        return change_maps(call);
    case SYS_io_uring_setup:
        return set_up_ring(call);
    case SYS_io_uring_enter:
        return enter_ring(call);
    case SYS_io_uring_register:
        return register_with_ring(call);
    case SYS_io_setup:
        return set_up_aio(call);
    case SYS_io_destroy:
        return destroy_aio(call);
    case SYS_io_submit:
        return submit_aio(call);
    case SYS_io_cancel:
        return cancel_aio(call);
    case SYS_rt_sigqueueinfo:
        return send_value(call, call->b, (const siginfo_t *)call->c, false);
    case SYS_rt_tgsigqueueinfo:
        return send_value(call, call->c, (const siginfo_t *)call->d, true);
    case SYS_pidfd_send_signal:
        return send_value(call, call->b, (const siginfo_t *)call->c, true);
    case SYS_timer_create:
        return make_timer(call);
    case SYS_timer_delete:
        return delete_timer(call);
    case SYS_mq_notify:
        return notify_of_queue(call);
    case SYS_epoll_ctl:
        return change_epoll(call);
    case SYS_seccomp:
    case SYS_prctl:
        return lock_in(call);
    default:
        return ask_device(call);
    }
}

static bool is_watched(long number) {
    switch (number) {
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mremap:
    case SYS_mprotect:
    case SYS_pkey_mprotect:
    case SYS_madvise:
    case SYS_io_uring_setup:
    case SYS_io_uring_enter:
    case SYS_io_uring_register:
    case SYS_io_setup:
    case SYS_io_destroy:
    case SYS_io_submit:
    case SYS_io_cancel:
    case SYS_rt_sigqueueinfo:
    case SYS_rt_tgsigqueueinfo:
    case SYS_pidfd_send_signal:
    case SYS_timer_create:
    case SYS_timer_delete:
    case SYS_mq_notify:
    case SYS_epoll_ctl:
    case SYS_seccomp:
    case SYS_prctl:
    case SYS_ioctl:
    case SYS_rt_sigaction:
    case SYS_sigaltstack:
        return true;
    default:
        return false;
    }
}

/* Not what shares our memory, and not what begins elsewhere, on another stack or with other
 * thread-local memory: these find their way by what the caller has left on the stack. */
static bool forks(long number, long a, long b) {
    const unsigned long elsewhere = CLONE_VM | CLONE_SETTLS;
#ifdef SYS_fork
    if (number == SYS_fork)
        return true;
#endif
    if (number == SYS_clone)
        return !(a & elsewhere) && b == 0;
    struct clone_args arguments;
    return number == SYS_clone3 && b >= CLONE_ARGS_SIZE_VER0 &&
           memory_read(&arguments, a, CLONE_ARGS_SIZE_VER0) == CLONE_ARGS_SIZE_VER0 &&
           !(arguments.flags & elsewhere) && arguments.stack == 0;
}

static __attribute__((noinline)) long seen(long number, long a, long b, long c, long d, long e,
                                           long f) {
    struct call call = {number, a, b, c, d, e, f};
    if (number == SYS_rt_sigaction)
        return bare_sigaction(a, (const struct signal_action *)b, (struct signal_action *)c, d);
    if (number == SYS_sigaltstack)
        return bare_sigaltstack((const stack_t *)a, (stack_t *)b);
    if (forks(number, a, b))
        return fork_by(make_fork, &call);
    return cycle_is_ended() ? make(&call) : make_watched(&call);
}

/* By its own name in C, since libc's takes any number of arguments. */
long syscall_entered(long number, long a, long b, long c, long d,
                     long e SEVENTH_PARAMETER) __asm__("syscall");
TITHE_EXPORT long syscall_entered(long number, long a, long b, long c, long d,
                                  long e SEVENTH_PARAMETER) {
    if (__builtin_expect(is_watched(number) || forks(number, a, b), 0))
        return seen(number, a, b, c, d, e, SEVENTH_READ);
    return REAL(syscall)(number, a, b, c, d, e SEVENTH_PASSED);
}
