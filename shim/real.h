/* The functions that the shim's wrappers stand in front of: the next definition in symbol order.
 *
 * All are looked up in the constructor. A look-up takes the loader's lock, and a wrapper may be
 * called where that must not be waited for: in a signal handler, or in a thread that the
 * constructor of a library waits for. Only calls from before our constructor look up by themselves.
 */
#ifndef TITHE_SHIM_REAL_H
#define TITHE_SHIM_REAL_H

#define TITHE_EXPORT __attribute__((visibility("default")))

/* Each use of REAL has one of these in a section of their own, so that all can be found. */
struct real {
    const char *name;
    void *volatile found; /* NULL until looked up, and if nobody defines it */
} __attribute__((aligned(16)));

/* Once, from the constructor. What an older libc does not define is passed over. */
void real_find_all(void);

/* Aborts if nobody defines it. */
void *real_find(struct real *real);

/* REAL(poll)(fds, count, timeout) calls the real poll. */
#define REAL(function)                                                                             \
    ({                                                                                             \
        static struct real real_ __attribute__((section("tithe_real"))) = {#function, 0};          \
        (__typeof__(&function))(real_.found ? real_.found : real_find(&real_));                    \
    })

/* Another name that libc has for a function which is wrapped. */
#if __has_attribute(copy)
#define ALIAS(name, function)                                                                      \
    TITHE_EXPORT extern __typeof__(function) name __attribute__((alias(#function), copy(function)))
#else
#define ALIAS(name, function)                                                                      \
    TITHE_EXPORT extern __typeof__(function) name __attribute__((alias(#function)))
#endif

#endif
