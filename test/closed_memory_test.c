/* Memory that the program has no access to while a collection runs, and has again later: what it
 * led to must be there. Run under tithe; the suite runs itself once in each mode of the collector.
 */
#include "suite.h"
#include "witness.h"

#include "os/syscall.h"
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
#include <sys/utsname.h>
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
static int protect_by_number(void *page, size_t bytes, int protection) {
    return syscall(SYS_mprotect, page, bytes, protection);
}

static int protect_bare(void *page, size_t bytes, int protection) {
    return syscall_raw(SYS_mprotect, (long)page, bytes, protection, 0, 0, 0) == 0 ? 0 : -1;
}

static int (*flip_by)(void *page, size_t bytes, int protection) = mprotect;

static void *flip_pages(void *memory) {
    for (unsigned i = 0; !finish; i++) {
        char *page = (char *)memory + (size_t)(i * 7 % WITNESSES) * PAGE;
        flip_by(page, PAGE, i / WITNESSES % 2 ? PROT_NONE : PROT_READ | PROT_WRITE);
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

/* Guards in the middle of the frames of a thread, which scans its stack itself when it is asked. */
static void *close_pages_of_own_stack(void *unused) {
    char space[BYTES + 2 * PAGE];
    char *pages = (char *)(((uintptr_t)space + PAGE) & -(uintptr_t)PAGE);
    memset(space, 0, sizeof space);
    hide_in(pages);
    for (unsigned i = 0; i < WITNESSES; i += 2)
        ck_assert_int_eq(mprotect(pages + (size_t)i * PAGE, PAGE, PROT_NONE), 0);
    for (int i = 0; i < 4; i++)
        churn();
    ck_assert_int_eq(mprotect(pages, BYTES, PROT_READ | PROT_WRITE), 0);
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
    return unused;
}

START_TEST(pages_of_a_stack_may_be_closed) {
    pthread_t thread;
    close_pages_of_own_stack(NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, close_pages_of_own_stack, NULL), 0);
    pthread_join(thread, NULL);
}
END_TEST

/* Where nothing was ever written nothing is read, and what was is found all the same. */
START_TEST(vast_closed_memory_costs_nothing) {
    enum { GUARDS = 500 };
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

/* The rest is about blocks of malloc's, which the collector reads directly where it can. */

enum { BLOCK = 64 * PAGE };

static char *block_make(size_t bytes) {
    char *block = aligned_alloc(PAGE, bytes);
    ck_assert_ptr_nonnull(block);
    memset(block, 0, bytes);
    return block;
}

static void *in_page(void *page) {
    int fd = memory_file();
    ck_assert_ptr_eq(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0), page);
    close(fd);
    return page;
}

/* Ways to take a page of a block away. By an instruction of the program's own the collector is not
 * told: it sees what was done when the next mark begins, and cannot if one goes on. */
enum way {
    BY_MPROTECT,
    BY_BARE_MPROTECT,
    BY_READ_ONLY,
    BY_NONE_MAP,
    BY_BARE_NONE_MAP,
    BY_MEMORY_FILE,
    BY_DEVICE,
    BY_GUARD,
    BY_BARE_GUARD, /* the kernel tells of it since Linux 6.15 */
    BY_UNMAPPING,
    BY_BARE_UNMAPPING,
    BY_MOVING,
    BY_DONTFORK,
    WAYS
};

static bool kernel_tells_of_guards(void) {
    struct utsname system;
    int major = 0, minor = 0;
    uname(&system);
    return sscanf(system.release, "%d.%d", &major, &minor) == 2 && major * 1000 + minor >= 6015;
}

static bool close_page(char *page, enum way way) {
    const int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    switch (way) {
    case BY_MPROTECT:
        return mprotect(page, PAGE, PROT_NONE) == 0;
    case BY_BARE_MPROTECT:
        return syscall_raw(SYS_mprotect, (long)page, PAGE, PROT_NONE, 0, 0, 0) == 0;
    case BY_READ_ONLY:
        return mprotect(page, PAGE, PROT_READ) == 0;
    case BY_NONE_MAP:
        return mmap(page, PAGE, PROT_NONE, fixed, -1, 0) == page;
    case BY_BARE_NONE_MAP:
        return syscall_raw(SYS_mmap, (long)page, PAGE, PROT_NONE, fixed, -1, 0) == (long)page;
    case BY_MEMORY_FILE:
        return in_page(page) == page;
    case BY_DEVICE: {
        int fd = open("/dev/zero", O_RDWR);
        return mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == page;
    }
    case BY_GUARD:
        return madvise(page, PAGE, GUARD_INSTALL) == 0;
    case BY_BARE_GUARD:
        return kernel_tells_of_guards() &&
               syscall_raw(SYS_madvise, (long)page, PAGE, GUARD_INSTALL, 0, 0, 0) == 0;
    case BY_UNMAPPING:
        return munmap(page, PAGE) == 0;
    case BY_BARE_UNMAPPING:
        return syscall_raw(SYS_munmap, (long)page, PAGE, 0, 0, 0, 0) == 0;
    case BY_MOVING:
        return mremap(page, PAGE, 2 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED;
    default:
        return madvise(page, PAGE, MADV_DONTFORK) == 0;
    }
}

/* Every fourth page of a block is taken away; what the others hold is kept, and the block is used
 * again after it was freed. */
static char *volatile kept;

START_TEST(a_block_may_have_guards) {
    char *block = kept = block_make(BYTES);
    hide_in(block);
    tithe_collect();
    for (unsigned i = 0; i < WITNESSES; i += 4) {
        memset(block + i * PAGE, 0, PAGE);
        if (!close_page(block + i * PAGE, _i))
            return;
    }
    for (int i = 0; i < 3; i++)
        churn();
    ck_assert_uint_ge(witness_intact(&witnesses), WITNESSES * 3 / 4);
    free(block);
    kept = NULL;
    for (int i = 0; i < 20; i++) {
        block = block_make(BYTES);
        memset(block, i, BYTES);
        churn();
        if (i % 2)
            free(block);
    }
}
END_TEST

/* The only pointers stand in pages that the program closed, and opens again. */
START_TEST(closed_pages_of_a_block_are_read) {
    char *block = kept = block_make(BYTES);
    hide_in(block);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(mprotect(block, BYTES, PROT_NONE), 0);
        churn();
        ck_assert_int_eq(mprotect(block, BYTES, PROT_READ | PROT_WRITE), 0);
        ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
        block[PAGE * 3 + 100] = i;
    }
    memset(block, 0, BYTES);
    churn();
    ck_assert_uint_lt(witness_intact(&witnesses), WITNESSES / 8);
}
END_TEST

/* A map of the program's over a part of a block holds pointers like any other. */
START_TEST(what_is_mapped_over_a_block_is_read) {
    char *block = kept = block_make(2 * BYTES);
    int fd = memory_file();
    ck_assert_ptr_eq(
        mmap(block + PAGE, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0),
        block + PAGE);
    hide_in(block + PAGE);
    churn();
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
    ck_assert_int_eq(mprotect(block + PAGE, BYTES, PROT_NONE), 0);
    churn();
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
}
END_TEST

/* Moved out of the block, they are still there. */
START_TEST(what_is_moved_out_of_a_block_is_read) {
    char *block = kept = block_make(BYTES);
    hide_in(block);
    char *moved = mremap(block, BYTES, 2 * BYTES, MREMAP_MAYMOVE);
    ck_assert_ptr_ne(moved, MAP_FAILED);
    churn();
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
    free(block);
    churn();
    ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
    memset(block_make(BYTES), 1, BYTES);
}
END_TEST

/* Blocks with a guard that are lost, freed or made larger or smaller as they are, of all sizes. */
START_TEST(blocks_with_guards_come_back_usable) {
    enum { BLOCKS = 60 };
    char *blocks[BLOCKS];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            size_t bytes = (size_t)(1 + i % 20) * PAGE;
            blocks[i] = memset(block_make(bytes), 7, bytes);
        }
        tithe_collect();
        for (int i = 0; i < BLOCKS; i++)
            if (!close_page(blocks[i] + i % 20 * PAGE, _i))
                return;
        tithe_collect();
        for (int i = 0; i < BLOCKS; i += 3)
            free(blocks[i]);
        for (int i = 1; i < BLOCKS; i += 3) {
            if (i % 20 == 0)
                continue;
            blocks[i] = realloc(blocks[i], i % 2 ? PAGE : 40 * PAGE);
            ck_assert_int_eq(blocks[i][PAGE - 1], 7);
            memset(blocks[i], 1, PAGE);
        }
        memset(blocks, 0, sizeof blocks);
        churn();
        for (int i = 0; i < 200; i++)
            free(memset(malloc((size_t)(1 + i % 20) * PAGE), 1, (size_t)(1 + i % 20) * PAGE));
    }
    ck_assert_uint_lt(mallinfo2().uordblks, (size_t)64 << 20);
}
END_TEST

/* By bare calls in the middle of marks, the first of which comes before anything is known of such:
 * a marker that runs into one of these pages makes its mark void. */
START_TEST(a_bare_call_may_come_in_the_middle_of_a_mark) {
    static char *blocks[WITNESSES];
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < WITNESSES; i++) {
            blocks[i] = block_make(BLOCK);
            *(void **)(blocks[i] + PAGE * 9) = witness_make(&witnesses, i);
            if (!close_page(blocks[i] + PAGE * 2 * (i % 4), _i ? BY_BARE_NONE_MAP : BY_BARE_GUARD))
                return;
            lose(300);
        }
        for (int i = 0; i < WITNESSES; i++)
            syscall_raw(_i ? SYS_mprotect : SYS_madvise, (long)blocks[i], BLOCK,
                        _i ? PROT_READ | PROT_WRITE : GUARD_REMOVE, 0, 0, 0);
        ck_assert_uint_eq(witness_intact(&witnesses), WITNESSES);
        for (int i = 0; i < WITNESSES; i++)
            free(blocks[i]);
    }
}
END_TEST

/* Wrapped calls wait for markers. */
START_TEST(a_block_may_be_closed_and_opened_while_it_is_marked) {
    static int (*const ways[])(void *, size_t, int) = {mprotect, protect_by_number, protect_bare};
    flip_by = ways[_i];
    require_kept_while_flipping(kept = block_make(BYTES));
}
END_TEST

/* What is not inherited is not there in the child, which goes on collecting. */
START_TEST(a_child_does_without_what_it_did_not_inherit) {
    char *block = kept = block_make(BLOCK);
    ck_assert_int_eq(madvise(block + 8 * PAGE, 8 * PAGE, MADV_DONTFORK), 0);
    churn();
    pid_t child = fork();
    if (child == 0) {
        churn();
        free(block);
        kept = NULL;
        churn();
        memset(block_make(BLOCK), 1, BLOCK);
        _exit(42);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    memset(block, 1, BLOCK);
}
END_TEST

/* What is mapped next would lie in the block, and go when that is freed. */
START_TEST(a_hole_is_not_given_to_others) {
    char *block = kept = block_make(BLOCK);
    ck_assert_int_eq(munmap(block + 8 * PAGE, 8 * PAGE), 0);
    for (int i = 0; i < 1000; i++) {
        char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert(map + PAGE <= block || block + BLOCK <= map);
    }
    free(block);
}
END_TEST

static int run_all(void) {
    const TTest *const tests[] = {
        memory_for_writing_only_is_read,      closed_shared_memory_that_was_never_touched_counts,
        pages_of_a_stack_may_be_closed,       vast_closed_memory_costs_nothing,
        closed_pages_of_a_block_are_read,     what_is_mapped_over_a_block_is_read,
        what_is_moved_out_of_a_block_is_read, a_child_does_without_what_it_did_not_inherit,
        a_hole_is_not_given_to_others,
    };
    const struct looped loops[] = {
        {what_closed_memory_holds_is_kept, SORTS * PROTECTIONS},
        {pages_may_be_closed_one_by_one, SORTS},
        {memory_may_be_closed_and_opened_while_it_is_marked, SORTS},
        {what_is_behind_a_protection_key_is_kept, SORTS},
        {a_block_may_be_closed_and_opened_while_it_is_marked, 3},
        {a_bare_call_may_come_in_the_middle_of_a_mark, 2},
        {a_block_may_have_guards, WAYS},
        {blocks_with_guards_come_back_usable, WAYS},
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
