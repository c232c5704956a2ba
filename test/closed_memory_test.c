/* Memory that the program has no access to while a collection runs, and has again later: what it
 * led to must be there. Run under tithe; the suite runs itself once in each mode of the collector.
 */
#include "suite.h"
#include "witness.h"

#include "tithe.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, GUARD_INSTALL = 102, GUARD_REMOVE = 103 };

static struct witnesses witnesses;

__attribute__((noinline)) static void lose(unsigned count) {
    volatile char stack[16384];
    for (size_t i = 0; i < sizeof stack; i++)
        stack[i] = 0;
    for (unsigned i = 0; i < count; i++) {
        void *volatile lost = malloc(16 + i % 200);
        memset(lost, 0xa5, 16);
    }
}

/* witness_churn's work, in shorter: with gc_every=64K each of these is some ten collections. */
static void churn(void) {
    for (int round = 0; round < 3; round++) {
        lose(2000);
        tithe_collect();
    }
}

/* Fills the slots, a page apart, with the only pointers to witnesses. */
__attribute__((noinline)) static void hide_in(char *memory) {
    for (unsigned i = 0; i < WITNESSES; i++)
        *(void **)(memory + (size_t)i * PAGE + 8 * i) = witness_make(&witnesses, i);
}

enum { BYTES = WITNESSES * PAGE };

static void *map_memory(int flags, int fd) {
    void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    return memory;
}

static int memory_file(void) {
    int fd = memfd_create("closed", 0);
    ck_assert_int_eq(ftruncate(fd, BYTES), 0);
    return fd;
}

static int disk_file(void) {
    char name[] = "/tmp/tithe-closed-XXXXXX";
    int fd = mkstemp(name);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, BYTES), 0);
    unlink(name);
    return fd;
}

/* Not there in every kernel, and then nothing is tested. */
static int secret_file(void) {
    int fd = syscall(SYS_memfd_secret, 0);
    return fd >= 0 && ftruncate(fd, BYTES) == 0 ? fd : -1;
}

static char data_segment[BYTES] __attribute__((aligned(PAGE))) = {1};
static char zero_segment[BYTES] __attribute__((aligned(PAGE)));

enum sort {
    PRIVATE,
    SHARED,
    PRIVATE_MEMORY_FILE,
    SHARED_MEMORY_FILE,
    PRIVATE_DISK_FILE,
    SHARED_DISK_FILE,
    DATA,
    ZERO_DATA,
    SECRET,
    SORTS
};

static char *make(enum sort sort) {
    switch (sort) {
    case PRIVATE:
        return map_memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    case SHARED:
        return map_memory(MAP_SHARED | MAP_ANONYMOUS, -1);
    case PRIVATE_MEMORY_FILE:
        return map_memory(MAP_PRIVATE, memory_file());
    case SHARED_MEMORY_FILE:
        return map_memory(MAP_SHARED, memory_file());
    case PRIVATE_DISK_FILE:
        return map_memory(MAP_PRIVATE, disk_file());
    case SHARED_DISK_FILE:
        return map_memory(MAP_SHARED, disk_file());
    case DATA:
        return data_segment;
    case ZERO_DATA:
        return zero_segment;
    default: {
        int fd = secret_file();
        return fd < 0 ? NULL : map_memory(MAP_SHARED, fd);
    }
    }
}

static const int protections[] = {PROT_NONE, PROT_EXEC, PROT_WRITE, PROT_READ,
                                  PROT_READ | PROT_WRITE};
enum { PROTECTIONS = sizeof protections / sizeof *protections };

/* Of every sort of memory, with every protection. */
START_TEST(what_closed_memory_holds_is_kept) {
    enum sort sort = _i / PROTECTIONS;
    int protection = protections[_i % PROTECTIONS];
    char *memory = make(sort);
    if (memory == NULL)
        return;
    hide_in(memory);
    if (mprotect(memory, BYTES, protection) != 0) /* a secret is not executed */
        return;
    churn();
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
    ck_assert_int_eq(mprotect(memory, BYTES, PROT_READ | PROT_WRITE), 0);
    memset(memory, 0, BYTES);
    churn();
    ck_assert_uint_lt(witness_intact(&witnesses), WITNESSES / 8);
}
END_TEST

/* Every other page. */
START_TEST(pages_may_be_closed_one_by_one) {
    char *memory = make(_i);
    if (memory == NULL)
        return;
    hide_in(memory);
    for (int i = 0; i < WITNESSES; i += 2)
        ck_assert_int_eq(mprotect(memory + i * PAGE, PAGE, PROT_NONE), 0);
    churn();
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
}
END_TEST

/* Memory that can be written and not read, and which the kernel refuses to make readable. */
START_TEST(memory_for_writing_only_is_read) {
    char name[64];
    int fd = memory_file();
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int writing = open(name, O_RDWR);
    ck_assert_int_ge(writing, 0);
    char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, writing, 0);
    char *only = mmap(NULL, BYTES, PROT_WRITE, MAP_SHARED, writing, 0);
    ck_assert(memory != MAP_FAILED && only != MAP_FAILED);
    hide_in(memory);
    munmap(memory, BYTES);
    close(fd);
    close(writing);
    churn();
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
}
END_TEST

/* What the program looks at again with a new map. */
START_TEST(closed_shared_memory_that_was_never_touched_counts) {
    int fd = memory_file();
    char *memory = map_memory(MAP_SHARED, fd);
    hide_in(memory);
    ck_assert_ptr_ne(mmap(NULL, BYTES, PROT_NONE, MAP_SHARED, fd, 0), MAP_FAILED);
    munmap(memory, BYTES);
    close(fd);
    churn();
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
}
END_TEST

static volatile bool finish;

/* Each page is closed half of the time. */
static void *flip_pages(void *memory) {
    for (unsigned i = 0; !finish; i++) {
        char *page = (char *)memory + (size_t)(i * 7 % WITNESSES) * PAGE;
        mprotect(page, PAGE, i / WITNESSES % 2 ? PROT_NONE : PROT_READ | PROT_WRITE);
        if (i % 16 == 0)
            usleep(100);
    }
    mprotect(memory, BYTES, PROT_READ | PROT_WRITE);
    return NULL;
}

static void require_kept_while_flipping(char *memory) {
    pthread_t flipper;
    hide_in(memory);
    pthread_create(&flipper, NULL, flip_pages, memory);
    for (int i = 0; i < 10; i++)
        churn();
    finish = true;
    pthread_join(flipper, NULL);
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
}

START_TEST(memory_may_be_closed_and_opened_while_it_is_marked) {
    char *memory = make(_i);
    if (memory)
        require_kept_while_flipping(memory);
}
END_TEST

/* Where nothing was ever written nothing is read, and what was is found all the same. */
START_TEST(vast_closed_memory_costs_nothing) {
    enum { GUARDS = 2000 };
    const size_t vast = (size_t)1 << 40;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *reserved = mmap(NULL, vast, PROT_NONE, flags, -1, 0);
    ck_assert_ptr_ne(reserved, MAP_FAILED);
    ck_assert_int_eq(mprotect(reserved + vast / 2, BYTES, PROT_READ | PROT_WRITE), 0);
    hide_in(reserved + vast / 2);
    ck_assert_int_eq(mprotect(reserved + vast / 2, BYTES, PROT_NONE), 0);
    char *guarded = mmap(NULL, (size_t)GUARDS * 4 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    for (size_t i = 0; i < GUARDS; i++)
        ck_assert_int_eq(mprotect(guarded + i * 4 * PAGE, PAGE, PROT_NONE), 0);
    churn();
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
    munmap(guarded, (size_t)GUARDS * 4 * PAGE);
}
END_TEST

/* A key without access for anybody, where the processor has such. */
START_TEST(what_is_behind_a_protection_key_is_kept) {
    char *memory = make(_i);
    int key = pkey_alloc(0, 0);
    if (memory == NULL || key < 0)
        return;
    hide_in(memory);
    ck_assert_int_eq(pkey_mprotect(memory, BYTES, PROT_READ | PROT_WRITE, key), 0);
    ck_assert_int_eq(pkey_set(key, PKEY_DISABLE_ACCESS), 0);
    churn();
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
}
END_TEST

static int run_all(void) {
    const TTest *const tests[] = {
        memory_for_writing_only_is_read,
        closed_shared_memory_that_was_never_touched_counts,
        vast_closed_memory_costs_nothing,
    };
    const struct looped loops[] = {
        {what_closed_memory_holds_is_kept, SORTS * PROTECTIONS},
        {pages_may_be_closed_one_by_one, SORTS},
        {memory_may_be_closed_and_opened_while_it_is_marked, SORTS},
        {what_is_behind_a_protection_key_is_kept, SORTS},
    };
    return SUITE_RUN_LOOPS("closed memory", tests, loops, 60);
}

/* The options are read when the program is loaded. */
static int run_with(const char *program, const char *options) {
    pid_t child = fork();
    if (child == 0) {
        setenv("TITHE_OPTIONS", options, 1);
        setenv("CLOSED_MEMORY_MODE", options, 1);
        execl(program, program, NULL);
        _exit(127);
    }
    int status;
    return waitpid(child, &status, 0) != child || status != 0;
}

int main(int count, char **arguments) {
    static const char *const modes[] = {"verify=1",
                                        "closed=open",
                                        "gc_every=64K",
                                        "gc_every=64K:workers=0",
                                        "gc_every=64K:dirty=none",
                                        "gc_every=64K:closed=open"};
    (void)count;
    if (&tithe_collect == NULL) {
        fputs("closed_memory_test: run this under tithe\n", stderr);
        return 1;
    }
    if (getenv("CLOSED_MEMORY_MODE"))
        return run_all();
    int failed = 0;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        printf("TITHE_OPTIONS=%s\n", modes[i]);
        fflush(stdout);
        failed |= run_with(arguments[0], modes[i]);
    }
    return failed;
}
