/* The functions that the shim's wrappers stand in front of: the next definition in symbol order. */
#ifndef TITHE_SHIM_REAL_H
#define TITHE_SHIM_REAL_H

#define TITHE_EXPORT __attribute__((visibility("default")))

/* Looks name up once and keeps it in *cache. Aborts if nobody defines it. */
void *real_find(void *volatile *cache, const char *name);

/* REAL(poll)(fds, count, timeout) calls the real poll. */
#define REAL(name)                                                                                 \
    ({                                                                                             \
        static void *volatile cache;                                                               \
        (__typeof__(&name))real_find(&cache, #name);                                               \
    })

#endif
