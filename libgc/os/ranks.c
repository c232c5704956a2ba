/* The witness; see ranks.h. */
#include "os/ranks.h"

#ifdef TITHE_RANKS

#include "os/log.h"
#include "os/section.h"
#include "os/syscall.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST_HELD = 512 };

struct held {
    const void *locks[MOST_HELD];
    unsigned char ranks[MOST_HELD];
    unsigned count;
};

static __thread struct held held __attribute__((tls_model("initial-exec")));

static const char *const names[RANKS] = {
    [RANK_FORK] = "fork",
    [RANK_START] = "start",
    [RANK_CHECK] = "check",
    [RANK_CYCLE] = "cycle",
    [RANK_READERS] = "readers",
    [RANK_ALLOCATION] = "allocation",
    [RANK_WORKERS] = "workers",
    [RANK_REGISTRY] = "registry",
    [RANK_SETS] = "sets",
    [RANK_NOTES] = "notes",
    [RANK_PAGES] = "pages",
    [RANK_CLOSED] = "closed",
    [RANK_SHAPES] = "shapes",
    [RANK_FOUND] = "found",
    [RANK_QUEUE] = "queue",
    [RANK_JOBS] = "jobs",
    [RANK_CREDIT] = "credit",
    [RANK_DESCRIPTORS] = "descriptors",
    [RANK_HEAP_START] = "heap start",
    [RANK_METADATA] = "metadata",
    [RANK_KERNEL_HELD] = "kernel held",
    [RANK_PRINTING] = "printing",
};

/* The stop signal and those of faults are all that may be open where nothing is put off. */
static bool is_masked(void) {
    unsigned long long mask = 0, usual = 1ull << (SIGALRM - 1) | 1ull << (SIGCHLD - 1) |
                                         1ull << (SIGUSR1 - 1) | 1ull << (SIGIO - 1);
    system_call(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof mask);
    return (mask & usual) == usual;
}

static bool is_covered(void) {
    return section_self.depth > 0 &&
           (section_is_interrupted(section_stack_pointer()) || is_masked());
}

void rank_expect(const void *lock, enum rank rank) {
    if (!is_covered())
        log_fatal("ranks: the lock of %s is taken where a handler could find it", names[rank]);
    for (unsigned i = 0; i < held.count; i++) {
        enum rank other = held.ranks[i];
        if (other > rank || (other == rank && held.locks[i] >= lock))
            log_fatal("ranks: the lock of %s is taken after that of %s", names[rank], names[other]);
    }
}

void rank_push(const void *lock, enum rank rank) {
    if (held.count == MOST_HELD)
        log_fatal("ranks: more than %d locks", MOST_HELD);
    held.ranks[held.count] = rank;
    held.locks[held.count++] = lock;
}

void rank_pop(const void *lock) {
    unsigned i = held.count;
    while (i > 0 && held.locks[i - 1] != lock)
        i--;
    if (i == 0)
        log_fatal("ranks: a lock is given by a thread that has not got it");
    for (held.count--; i <= held.count; i++) {
        held.ranks[i - 1] = held.ranks[i];
        held.locks[i - 1] = held.locks[i];
    }
}

void rank_forget_all(void) { held.count = 0; }

void rank_expect_none(const char *what) {
    if (held.count > 0)
        log_fatal("ranks: %s with the lock of %s", what, names[held.ranks[held.count - 1]]);
}

#endif
