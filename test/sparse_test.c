/* What realloc moves: memory that nobody has written to stays free, what was written comes along,
 * and what it leads to stays, while collections go on.
 *
 * Each test is this program, started anew with its name, in every mode of the collector.
 */
#include "suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t mebibyte = 1 << 20, gibibyte = 1 << 30;
enum { PAGE = 4096 };

int tithe_collect(void) __attribute__((weak));

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            dprintf(2, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                             \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* A line of /proc/self/status, in bytes. */
static size_t status_of(const char *key) {
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    const char *line = strstr(text, key);
    return line ? strtoul(line + strlen(key), NULL, 10) << 10 : 0;
}

/* Something right behind, so that nothing grows in place. */
static void *neighbours[64];
static unsigned neighbour_count;
static void block_growth(void) { neighbours[neighbour_count++ % 64] = malloc(40000); }

/* The next in the place of one that was collected is cleared without having memory of its own. */
static void lost_tables_leave_no_memory(void) {
    for (int i = 0; i < 200; i++) {
        char *volatile table = malloc(16 * mebibyte);
        MUST(table);
        for (size_t at = 0; at < 16 * mebibyte; at += 4 * mebibyte)
            table[at] = 1;
        if (i % 20 == 0)
            tithe_collect();
    }
    MUST(status_of("VmHWM:") < 64 * mebibyte);
}

static void a_sparse_table_stays_sparse(void) {
    const size_t bytes = 3 * gibibyte;
    char *table = calloc(bytes, 1);
    MUST(table);
    for (size_t i = 0; i < 16; i++)
        table[bytes / 16 * i] = 1;
    for (int i = 0; i < 3; i++) {
        block_growth();
        MUST((table = realloc(table, bytes + (bytes >> i))));
        for (size_t at = 0; at < 16; at++)
            MUST(table[bytes / 16 * at] == 1 && table[bytes / 16 * at + PAGE] == 0);
        MUST(table[bytes - 1] == 0);
    }
    table[bytes] = 1;
    MUST(status_of("VmRSS:") < 120 * mebibyte);
    free(table);
}

static void a_cleared_table_is_sparse_when_its_place_was_used(void) {
    for (int i = 0; i < 3; i++) {
        char *dense = malloc(64 * mebibyte);
        memset(dense, 0xff, 64 * mebibyte);
        free(dense);
        char *table = calloc(gibibyte, 1);
        MUST(table);
        for (size_t at = 0; at < gibibyte; at += 16 * mebibyte)
            MUST(table[at] == 0 && table[at + 12345] == 0);
        MUST(status_of("VmRSS:") < 200 * mebibyte);
        free(table);
    }
}

/* Pages written at random, and sizes, beside a list of what was written. */
enum { MODEL_PAGES = 4096 };
static void random_sizes_keep_what_was_written(void) {
    static unsigned char model[MODEL_PAGES];
    unsigned random = 12345;
    size_t pages = 1024;
    char *table = calloc(pages, PAGE);
    for (int round = 0; round < 120; round++) {
        for (int i = 0; i < 40; i++) {
            random = random * 1103515245 + 12345;
            size_t page = (random >> 8) % pages;
            model[page] = round + 1;
            table[page * PAGE + page % PAGE] = round + 1;
        }
        random = random * 1103515245 + 12345;
        size_t before = pages;
        pages = 300 + (random >> 8) % (MODEL_PAGES - 300);
        if (round % 3 == 0)
            block_growth();
        MUST((table = realloc(table, pages * PAGE)));
        if (pages > before)
            memset(table + before * PAGE, 0, (pages - before) * PAGE);
        else
            memset(model + pages, 0, MODEL_PAGES - pages);
        for (size_t page = 0; page < pages; page++)
            MUST((unsigned char)table[page * PAGE + page % PAGE] == model[page]);
    }
    free(table);
}

static volatile int done;
static void *collect_always(void *argument) {
    while (!done) {
        if (tithe_collect)
            tithe_collect();
        usleep(300);
    }
    return argument;
}

static void *lose_always(void *argument) {
    while (!done) {
        void *volatile lost = malloc(3000);
        memset((void *)lost, 0xee, 3000);
    }
    return argument;
}

/* Blocks that only the table leads to, every so many bytes. */
static void fill_block(uint64_t *block, uint64_t number) {
    for (int i = 0; i < 8; i++)
        block[i] = number * 3 + i;
}

static void what_a_moved_table_leads_to_stays(void) {
    pthread_t threads[2];
    const size_t step = 2048 / sizeof(uint64_t *);
    size_t words = 4 * mebibyte / sizeof(uint64_t *), most = 20 * words;
    uint64_t **table = calloc(words, sizeof *table);
    pthread_create(&threads[0], NULL, collect_always, NULL);
    pthread_create(&threads[1], NULL, lose_always, NULL);
    for (size_t i = 0; i < words; i += step)
        fill_block(table[i] = malloc(64), i);
    for (int round = 0; words < most && round < 20; round++) {
        size_t before = words;
        words += words / 4;
        block_growth();
        MUST((table = realloc(table, words * sizeof *table)));
        memset(table + before, 0, (words - before) * sizeof *table);
        for (size_t i = (before + step - 1) / step * step; i < words; i += step)
            fill_block(table[i] = malloc(64), i);
        for (size_t i = 0; i < words; i += step)
            for (int j = 0; j < 8; j++)
                MUST(table[i][j] == i * 3 + j);
    }
    done = 1;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

/* Not both at once. */
static void a_dense_block_is_moved_bit_by_bit(void) {
    const size_t bytes = 128 * mebibyte;
    char *block = malloc(bytes);
    for (size_t i = 0; i < bytes; i += PAGE)
        memset(block + i, (int)(i / PAGE) | 1, PAGE);
    block_growth();
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    MUST(write(fd, "5", 1) == 1);
    close(fd);
    MUST((block = realloc(block, 2 * bytes)));
    MUST(status_of("VmHWM:") < bytes + bytes / 2);
    for (size_t i = 0; i < bytes; i++)
        MUST(block[i] == (char)((int)(i / PAGE) | 1));
    free(block);
}

static void a_forked_child_moves_its_own(void) {
    const size_t bytes = 32 * mebibyte;
    int status;
    char *block = calloc(bytes, 1);
    for (size_t i = 0; i < bytes; i += 16 * PAGE)
        block[i] = 7;
    if (tithe_collect)
        tithe_collect();
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = PAGE; i < bytes; i += 16 * PAGE)
            block[i] = 8;
        block_growth();
        MUST((block = realloc(block, 3 * bytes)));
        for (size_t i = 0; i < bytes; i += 16 * PAGE)
            MUST(block[i] == 7 && block[i + PAGE] == 8 && block[i + 2 * PAGE] == 0);
        _exit(0);
    }
    MUST(waitpid(child, &status, 0) == child && status == 0);
    block_growth();
    MUST((block = realloc(block, 3 * bytes)));
    for (size_t i = 0; i < bytes; i += 16 * PAGE)
        MUST(block[i] == 7 && block[i + PAGE] == 0);
}

/* A raw clone runs with a copy of the memory that the collector's files know nothing of. */
static void a_child_without_our_knowledge_moves_its_own(void) {
    const size_t bytes = 32 * mebibyte;
    int status;
    char *block = calloc(bytes, 1);
    block[PAGE] = 1;
    if (tithe_collect)
        tithe_collect();
    pid_t child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        for (size_t i = 0; i < bytes; i += 4 * PAGE)
            block[i] = 9;
        block_growth();
        MUST((block = realloc(block, 3 * bytes)));
        for (size_t i = 0; i < bytes; i += 4 * PAGE)
            MUST(block[i] == 9);
        MUST(block[PAGE] == 1);
        syscall(SYS_exit_group, 0);
    }
    MUST(waitpid(child, &status, 0) == child && status == 0);
}

static void without_descriptors_it_is_the_same(void) {
    const size_t bytes = 512 * mebibyte;
    char *table = calloc(bytes, 1);
    if (tithe_collect)
        tithe_collect();
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    for (size_t i = 0; i < 16; i++)
        table[bytes / 16 * i] = 1;
    block_growth();
    MUST((table = realloc(table, 2 * bytes)));
    for (size_t i = 0; i < 16; i++)
        MUST(table[bytes / 16 * i] == 1 && table[bytes / 16 * i + PAGE] == 0);
    MUST(status_of("VmRSS:") < 120 * mebibyte);
}

static void locked_memory_is_moved_too(void) {
    char *block = malloc(4 * mebibyte);
    memset(block, 5, 4 * mebibyte);
    if (mlock(block, 4 * mebibyte) != 0)
        return;
    block_growth();
    MUST((block = realloc(block, 12 * mebibyte)));
    for (size_t i = 0; i < 4 * mebibyte; i++)
        MUST(block[i] == 5);
}

struct way {
    const char *name;
    void (*make)(void);
};

#define WAY(function)                                                                              \
    { #function, function }

static const struct way ways[] = {
    WAY(a_sparse_table_stays_sparse),
    WAY(lost_tables_leave_no_memory),
    WAY(a_cleared_table_is_sparse_when_its_place_was_used),
    WAY(random_sizes_keep_what_was_written),
    WAY(what_a_moved_table_leads_to_stays),
    WAY(a_dense_block_is_moved_bit_by_bit),
    WAY(a_forked_child_moves_its_own),
    WAY(a_child_without_our_knowledge_moves_its_own),
    WAY(without_descriptors_it_is_the_same),
    WAY(locked_memory_is_moved_too),
};
enum { WAYS = sizeof ways / sizeof *ways };

static const char *const modes[] = {"", "gc_every=64K", "gc_every=64K:workers=0",
                                    "gc_every=64K:dirty=none", "leaks=/tmp"};
enum { MODES = sizeof modes / sizeof *modes };

START_TEST(what_realloc_moves) {
    const struct way *way = &ways[_i % WAYS];
    const char *mode = modes[_i / WAYS];
    int status;
    pid_t child = fork();
    if (child == 0) {
        setenv("TITHE_OPTIONS", mode, 1);
        execl("/proc/self/exe", "sparse", way->name, NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "%s (%s): status %x", way->name, mode, status);
}
END_TEST

int main(int count, char **arguments) {
    for (int i = 0; count == 2 && i < WAYS; i++)
        if (strcmp(arguments[1], ways[i].name) == 0) {
            ways[i].make();
            return 0;
        }
    const struct looped loops[] = {{what_realloc_moves, WAYS * MODES}};
    return suite_run("sparse", NULL, 0, loops, 1, 120);
}
