/* What is freed twice, or was never a block, aborts with a line that names it, before any block has
 * two owners; and what only looks like a freed block does not.
 *
 * Each wrong free is made in a process of its own: this program, started anew with the name of what
 * to do, in every mode of the collector and while leaks are hunted.
 */
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuse-after-free" /* that is what is tried here */
#endif

#include "suite.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 600 /* more than a thread's cache holds of any size */ };

static const size_t sizes[] = {1,    15,   16,    24,    40,    100,    255,
                               1000, 4000, 20000, 32767, 40000, 1 << 20};
enum { SIZES = sizeof sizes / sizeof *sizes, LARGE = 11 /* the first that has pages of its own */ };

static const char *const modes[] = {
    "",           "gc_every=64K", "gc_every=64K:workers=0", "gc_every=64K:dirty=none",
    "leaks=/tmp", "quarantine=on"};
enum { MODES = sizeof modes / sizeof *modes };

/* All that was ever said or kept, so that nothing is collected meanwhile. */
static void *kept[2 * MANY];

/* Said before the wrong free, so that the parent knows which block the abort must name. */
static void *volatile wrong;
static void say(const void *block) {
    char text[32];
    int length = snprintf(text, sizeof text, "%p\n", block);
    if (write(1, text, length) != length)
        _exit(3);
}

static void free_wrong(void *block) {
    wrong = block;
    say(block);
    free(block);
}

static void free_many(size_t bytes, int count) {
    for (int i = 0; i < count; i++)
        kept[i] = malloc(bytes);
    for (int i = 0; i < count; i++)
        free(kept[i]);
}

static void *free_in_thread(void *block) {
    free(block);
    return NULL;
}

static volatile int step;

/* Frees and stays, with the block in its cache. */
static void *free_and_stay(void *block) {
    free(block);
    step = 1;
    for (;;)
        pause();
    return NULL;
}

static void stay_with(void *block) {
    pthread_t thread;
    step = 0;
    pthread_create(&thread, NULL, free_and_stay, block);
    while (!step)
        usleep(100);
}

static void run_thread(void *(*function)(void *), void *block) {
    pthread_t thread;
    pthread_create(&thread, NULL, function, block);
    pthread_join(thread, NULL);
}

static void at_once(size_t bytes) {
    void *block = malloc(bytes);
    free(block);
    free_wrong(block);
}

static void with_another_between(size_t bytes) {
    void *first = malloc(bytes), *second = malloc(bytes);
    free(first);
    free(second);
    free_wrong(first);
}

static void with_a_few_between(size_t bytes) {
    void *block = malloc(bytes);
    for (int i = 0; i < 7; i++)
        kept[i] = malloc(bytes);
    free(block);
    for (int i = 0; i < 7; i++)
        free(kept[i]);
    free_wrong(block);
}

/* Back in its span. */
static void after_a_flush(size_t bytes) {
    void *block = malloc(bytes);
    kept[MANY] = malloc(bytes);
    free(block);
    free_many(bytes, bytes < 50000 ? MANY : 4);
    free_wrong(block);
}

static void in_another_thread(size_t bytes) {
    void *block = malloc(bytes);
    free(block);
    wrong = block;
    say(block);
    run_thread(free_in_thread, block);
}

static void after_a_thread_that_has_it(size_t bytes) {
    void *block = malloc(bytes);
    stay_with(block);
    free_wrong(block);
}

static void after_a_thread_that_ended(size_t bytes) {
    void *block = malloc(bytes);
    run_thread(free_in_thread, block);
    free_wrong(block);
}

static void in_two_threads(size_t bytes) {
    void *block = malloc(bytes);
    stay_with(block);
    say(block);
    stay_with(block);
}

/* Its pages are the system's again. */
static void after_its_span_is_gone(size_t bytes) {
    int count = bytes < 50000 ? 2 * MANY : 4;
    for (int i = 0; i < count; i++)
        kept[i] = malloc(bytes);
    void *block = kept[count / 2];
    for (int i = 0; i < count; i++)
        free(kept[i]);
    malloc_trim(0);
    free_wrong(block);
}

static void by_realloc(size_t bytes) {
    void *block = malloc(bytes);
    kept[0] = malloc(bytes);
    free(block);
    free(kept[0]);
    say(block);
    kept[1] = realloc(block, bytes);
}

static void what_realloc_has_moved(size_t bytes) {
    void *block = malloc(bytes);
    kept[0] = malloc(bytes);
    kept[1] = realloc(block, 3 * bytes + 2000);
    if (kept[1] == block) {
        kept[2] = realloc(block, 64 << 20);
        if (kept[2] == block) {
            say(block);
            abort();
        }
    }
    free_wrong(block);
}

static void free_wrong_in_handler(int number) {
    (void)number;
    free(wrong);
}

static void in_a_handler(size_t bytes) {
    wrong = malloc(bytes);
    free(wrong);
    say(wrong);
    signal(SIGUSR1, free_wrong_in_handler);
    raise(SIGUSR1);
}

static void in_a_forked_child(size_t bytes) {
    void *block = malloc(bytes);
    int status;
    free(block);
    say(block);
    pid_t child = fork();
    if (child == 0) {
        free(block);
        _exit(0);
    }
    if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
        raise(WTERMSIG(status));
}

static void an_aligned_one(size_t bytes) {
    void *block, *other;
    for (size_t alignment = 32; alignment <= 4096; alignment *= 2) {
        if (posix_memalign(&block, alignment, bytes) || posix_memalign(&other, alignment, bytes))
            _exit(2);
        free(block);
        free(other);
        if (alignment >= bytes)
            break;
    }
    free_wrong(block);
}

/* The other is freed and taken again in between: it is the same block that comes back. */
static void after_others_come_and_go(size_t bytes) {
    void *block = malloc(bytes), *other = malloc(bytes);
    free(block);
    for (int i = 0; i < 20; i++) {
        free(other);
        other = malloc(bytes);
        memset(other, i, bytes);
    }
    free_wrong(block);
}

static void between_two_bytes(size_t bytes) {
    char *block = malloc(bytes + 16);
    free_wrong(block + 1);
}

/* Told when the thread's cache is emptied, at the latest. */
static void its_middle(size_t bytes) {
    char *block = malloc(bytes + 64);
    free_wrong(block + 16);
    free_many(bytes + 64, MANY);
}

static void a_place_without_any_block(size_t bytes) {
    char *block = malloc(64 << 20);
    free(block);
    malloc_trim(0);
    free_wrong(block + bytes / 16 * 16 + 4096);
}

struct way {
    const char *name;
    void (*make)(size_t bytes);
    int sizes; /* how many of the sizes it has a meaning for */
};

#define WAY(function, count)                                                                       \
    { #function, function, count }

static const struct way ways[] = {
    WAY(at_once, SIZES),
    WAY(with_another_between, SIZES),
    WAY(with_a_few_between, SIZES),
    WAY(after_a_flush, SIZES),
    WAY(in_another_thread, SIZES),
    WAY(after_a_thread_that_has_it, SIZES),
    WAY(after_a_thread_that_ended, SIZES),
    WAY(in_two_threads, SIZES),
    WAY(after_its_span_is_gone, SIZES),
    WAY(by_realloc, SIZES),
    WAY(what_realloc_has_moved, LARGE - 2),
    WAY(in_a_handler, SIZES),
    WAY(in_a_forked_child, SIZES),
    WAY(an_aligned_one, SIZES),
    WAY(after_others_come_and_go, LARGE),
    WAY(between_two_bytes, SIZES),
    WAY(its_middle, SIZES),
    WAY(a_place_without_any_block, SIZES),
};
enum { WAYS = sizeof ways / sizeof *ways };

/* Starts this program anew; what it writes to both outputs comes back in text. */
static int status_of(const char *way, size_t bytes, const char *mode, char *text, size_t room) {
    int ends[2], status;
    char number[24];
    size_t length = 0;
    ck_assert_int_eq(pipe(ends), 0);
    snprintf(number, sizeof number, "%zu", bytes);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        setenv("TITHE_OPTIONS", mode, 1);
        execl("/proc/self/exe", "double_free", way, number, NULL);
        _exit(127);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], text + length, room - 1 - length)) > 0;)
        length += got;
    text[length] = 0;
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* The line names the block that was said. */
START_TEST(a_wrong_free_aborts) {
    const struct way *way = &ways[_i % WAYS];
    const char *mode = modes[_i / WAYS];
    char text[2000], block[40];
    for (int i = 0; i < way->sizes; i++) {
        int status = status_of(way->name, sizes[i], mode, text, sizeof text);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
                      "%s of %zu bytes (%s): status %x, %s", way->name, sizes[i], mode, status,
                      text);
        ck_assert_int_eq(sscanf(text, "%38s", block), 1);
        const char *line = strstr(text, "tithe: ");
        ck_assert_msg(line && strstr(line, block), "%s of %zu bytes (%s): %s", way->name, sizes[i],
                      mode, text);
    }
}
END_TEST

static void copy_two_words(void *to, const void *from) {
    for (int i = 0; i < 2; i++)
        ((volatile uint64_t *)to)[i] = ((const volatile uint64_t *)from)[i];
}

/* Whoever copies what he has freed makes blocks that look freed. */
static void *free_copies_of_freed(void *argument) {
    for (int i = 0; i < SIZES; i++) {
        size_t bytes = sizes[i] < 16 ? 16 : sizes[i];
        void *freed = malloc(bytes), *blocks[20];
        uint64_t words[2];
        for (int j = 0; j < 20; j++)
            blocks[j] = malloc(bytes);
        uintptr_t hidden = ~(uintptr_t)freed;
        free(freed);
        if (i < LARGE)
            copy_two_words(words, (void *)~hidden);
        for (int j = 0; j < 20; j++) {
            if (i < LARGE)
                copy_two_words(blocks[j], words);
            if (j % 3 == 0)
                REQUIRE((blocks[j] = realloc(blocks[j], bytes)) != NULL);
        }
        for (int j = 0; j < 20; j++)
            free(blocks[j]);
    }
    return argument;
}

START_TEST(what_only_looks_freed_is_freed) {
    pthread_t threads[4];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, free_copies_of_freed, NULL);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
}
END_TEST

START_TEST(what_is_cleared_is_zero_after_frees) {
    static const char zero[32768];
    for (int i = 0; i < LARGE; i++)
        for (int round = 0; round < 50; round++) {
            char *blocks[10];
            for (int j = 0; j < 10; j++) {
                blocks[j] = calloc(1, sizes[i]);
                REQUIRE(memcmp(blocks[j], zero, sizes[i]) == 0);
                memset(blocks[j], 0xff, sizes[i]);
            }
            for (int j = 0; j < 10; j++)
                free(blocks[j]);
        }
}
END_TEST

/* Blocks go from one thread to the next, are freed there, and never belong to two. */
enum { PASSED = 64, PASSES = 20000 };
static void *volatile passed[PASSED];

static void *pass_on(void *argument) {
    unsigned random = (unsigned)(uintptr_t)argument;
    for (int i = 0; i < PASSES; i++) {
        random = random * 1103515245 + 12345;
        size_t bytes = 16 + (random >> 8) % 200;
        uint64_t *block = malloc(bytes);
        block[0] = ~(uint64_t)(uintptr_t)block;
        uint64_t *other =
            __atomic_exchange_n(&passed[(random >> 16) % PASSED], block, __ATOMIC_ACQ_REL);
        if (other == NULL)
            continue;
        REQUIRE(other[0] == ~(uint64_t)(uintptr_t)other);
        other[0] = 0;
        free(other);
    }
    return argument;
}

START_TEST(blocks_that_are_passed_on_have_one_owner) {
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, pass_on, (void *)(i + 1));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

int main(int count, char **arguments) {
    for (int i = 0; count == 3 && i < WAYS; i++)
        if (strcmp(arguments[1], ways[i].name) == 0) {
            ways[i].make(strtoul(arguments[2], NULL, 10));
            return 0;
        }
    const TTest *const tests[] = {
        what_only_looks_freed_is_freed,
        what_is_cleared_is_zero_after_frees,
        blocks_that_are_passed_on_have_one_owner,
    };
    const struct looped loops[] = {{a_wrong_free_aborts, WAYS * MODES}};
    return SUITE_RUN_LOOPS("double_free", tests, loops, 120);
}
