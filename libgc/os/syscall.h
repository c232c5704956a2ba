/* System calls without libc: no errno, no cancellation point, no thread-local state.
 *
 * The stop handler runs in threads that may have no valid TLS at all (raw clone), and malloc must
 * not disturb errno, so the collector's own calls go through here. Each returns what the kernel
 * returns: a result, or a negative errno. Safe anywhere, async-signal context included. A test may
 * have one of them fail (os/faults.h).
 */
#ifndef TITHE_OS_SYSCALL_H
#define TITHE_OS_SYSCALL_H

#include "os/faults.h"

#include <sys/syscall.h>

static inline long syscall_raw(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
#else
#error "tithe runs on x86-64 and aarch64"
#endif
}

static inline long syscall_made(long number, long a, long b, long c, long d, long e, long f) {
    if (__builtin_expect(faults_wanted, 0)) {
        long answer = faults_answer(number, b);
        if (answer)
            return answer;
    }
    return syscall_raw(number, a, b, c, d, e, f);
}

#define SYSCALL_PICK(a, b, c, d, e, f, g, name, ...) name
#define SYSCALL_LONG(x) ((long)(x))
#define SYSCALL_WITH_0(n) syscall_made(n, 0, 0, 0, 0, 0, 0)
#define SYSCALL_WITH_1(n, a) syscall_made(n, SYSCALL_LONG(a), 0, 0, 0, 0, 0)
#define SYSCALL_WITH_2(n, a, b) syscall_made(n, SYSCALL_LONG(a), SYSCALL_LONG(b), 0, 0, 0, 0)
#define SYSCALL_WITH_3(n, a, b, c)                                                                 \
    syscall_made(n, SYSCALL_LONG(a), SYSCALL_LONG(b), SYSCALL_LONG(c), 0, 0, 0)
#define SYSCALL_WITH_4(n, a, b, c, d)                                                              \
    syscall_made(n, SYSCALL_LONG(a), SYSCALL_LONG(b), SYSCALL_LONG(c), SYSCALL_LONG(d), 0, 0)
#define SYSCALL_WITH_5(n, a, b, c, d, e)                                                           \
    syscall_made(n, SYSCALL_LONG(a), SYSCALL_LONG(b), SYSCALL_LONG(c), SYSCALL_LONG(d),            \
                 SYSCALL_LONG(e), 0)
#define SYSCALL_WITH_6(n, a, b, c, d, e, f)                                                        \
    syscall_made(n, SYSCALL_LONG(a), SYSCALL_LONG(b), SYSCALL_LONG(c), SYSCALL_LONG(d),            \
                 SYSCALL_LONG(e), SYSCALL_LONG(f))

/* system_call(SYS_name, arguments...) with up to six arguments of any scalar type. */
#define system_call(...)                                                                           \
    SYSCALL_PICK(__VA_ARGS__, SYSCALL_WITH_6, SYSCALL_WITH_5, SYSCALL_WITH_4, SYSCALL_WITH_3,      \
                 SYSCALL_WITH_2, SYSCALL_WITH_1, SYSCALL_WITH_0)                                   \
    (__VA_ARGS__)

#endif
