/* Programs for the sweep of failing system calls (sweep.py): each case holds blocks that know what
 * they are wherever the collector has to look for them, loses others, and checks what it holds at
 * every touch. A case that went well prints its name. One that gets no memory says so and ends with
 * status 3, which is right only when the system gave none; a block that is not what it was aborts.
 * Usage: cases NAME
 */
#include "../storms/storm.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

enum { THREADS = 3, ROUNDS = 40, HELD = 150, NO_MEMORY = 3 };

static void no_memory(bool told) {
    fprintf(stderr, "no memory\n");
    _exit(told ? NO_MEMORY : 4);
}

static struct checked *make(size_t bytes, struct checked *link) {
    struct checked *block = malloc(bytes);
    if (block == NULL)
        no_memory(errno == ENOMEM);
    block->disguise = ~(uint64_t)(uintptr_t)block;
    block->bytes = bytes;
    block->link = link;
    for (size_t at = 0; at < bytes - CHECKED_LEAST; at += 13)
        block->rest[at] = checked_byte(block, at);
    return block;
}

static size_t some_bytes(uint64_t *random) { return CHECKED_LEAST + storm_random(random) % 400; }

/* Replaces blocks of a table at random, loses most of what it takes out, and looks all over. */
static void churn(struct checked **table, uint64_t *random, int steps) {
    for (int i = 0; i < steps; i++) {
        unsigned at = storm_random(random) % HELD;
        struct checked *old = table[at];
        if (old)
            checked_verify(old);
        table[at] = make(some_bytes(random), NULL);
        if (old && storm_random(random) % 4 == 0)
            checked_free(old);
    }
    for (unsigned i = 0; i < HELD; i++)
        if (table[i])
            checked_verify(table[i]);
}

static __thread struct checked *local[HELD];

static void *thread_run(void *number) {
    uint64_t random = storm_stream((uintptr_t)number);
    struct checked *stack[HELD] = {NULL};
    for (int i = 0; i < ROUNDS / 8; i++) {
        churn(stack, &random, 300);
        churn(local, &random, 300);
    }
    return make(100, NULL);
}

static void threads(void) {
    for (int round = 0; round < 4; round++) {
        pthread_t thread[THREADS];
        void *result;
        int made = 0;
        while (made < THREADS &&
               pthread_create(&thread[made], NULL, thread_run, (void *)(uintptr_t)made) == 0)
            made++;
        for (int i = 0; i < made; i++) {
            STORM_CHECK(pthread_join(thread[i], &result) == 0);
            checked_verify(result);
        }
    }
}

static struct checked *global[HELD];

static void child_waits(pid_t child) {
    int status;
    if (child < 0)
        no_memory(errno == ENOMEM);
    STORM_CHECK(child > 0 && waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_MEMORY)
        _exit(NO_MEMORY);
    STORM_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void forks(void) {
    uint64_t random = storm_stream(1);
    for (int round = 0; round < 5; round++) {
        churn(global, &random, 800);
        pid_t child = fork();
        if (child == 0) {
            churn(global, &random, 800);
            _exit(0);
        }
        churn(global, &random, 400);
        child_waits(child);
        char *arguments[] = {"true", NULL};
        if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ) == 0)
            child_waits(child);
    }
}

static void check_cleared(const char *block, size_t bytes) {
    for (size_t i = 0; i < bytes; i += 61)
        STORM_CHECK(block[i] == 0);
}

static void large(void) {
    uint64_t random = storm_stream(2);
    struct checked *held[6] = {NULL};
    for (int i = 0; i < 40; i++) {
        unsigned at = storm_random(&random) % 6;
        if (held[at])
            checked_verify(held[at]);
        held[at] = make((100 << 10) + storm_random(&random) % (1 << 20), NULL);
        size_t bytes = storm_random(&random) % (2 << 20) + 1;
        char *clear = calloc(1, bytes), *grown;
        if (clear == NULL)
            no_memory(errno == ENOMEM);
        check_cleared(clear, bytes);
        memset(clear, 7, bytes);
        grown = realloc(clear, bytes * 2);
        STORM_CHECK(grown == NULL || (grown[0] == 7 && grown[bytes - 1] == 7));
        if (grown && i % 2)
            free(grown);
        churn(global, &random, 100);
    }
    for (unsigned at = 0; at < 6; at++)
        if (held[at])
            checked_verify(held[at]);
}

/* The only pointers are in maps of the program's own, some of which are closed to writing. */
static void mapped(void) {
    uint64_t random = storm_stream(3);
    enum { BYTES = 1 << 20 };
    struct checked **memory =
        mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct checked **shared =
        mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    STORM_CHECK(memory != MAP_FAILED && shared != MAP_FAILED);
    for (int round = 0; round < 8; round++) {
        churn(memory + 5000, &random, 500);
        churn(shared + 100 * round, &random, 300);
        STORM_CHECK(mprotect(shared, BYTES, PROT_READ) == 0);
        churn(memory + 60000, &random, 500);
        STORM_CHECK(mprotect(shared, BYTES, PROT_READ | PROT_WRITE) == 0);
        churn(shared + 100 * round, &random, 1);
        void *moved = mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        STORM_CHECK(moved != MAP_FAILED);
        memory = mremap(memory, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, moved);
        STORM_CHECK(memory == moved);
    }
}

static void libraries(void) {
    uint64_t random = storm_stream(4);
    const char *path = getenv("STORM_LIBRARY");
    for (int round = 0; round < 12; round++) {
        void *library = path ? dlopen(path, RTLD_NOW) : NULL;
        if (library == NULL && path)
            no_memory(errno == ENOMEM);
        STORM_CHECK(library != NULL);
        struct checked **data = dlsym(library, "storm_data");
        void **(*local_of)(void) = (void **(*)(void))dlsym(library, "storm_local");
        STORM_CHECK(data && local_of);
        *data = make(100, make(50, NULL));
        *local_of() = make(200, NULL);
        churn(global, &random, 600);
        checked_verify(*data);
        checked_verify((*data)->link);
        checked_verify(*local_of());
        STORM_CHECK(dlclose(library) == 0);
    }
}

static void *sleep_run(void *pipe_ends) {
    const int *ends = pipe_ends;
    struct pollfd waiting = {.fd = ends[0], .events = POLLIN};
    STORM_CHECK(poll(&waiting, 1, -1) == 1);
    return NULL;
}

/* Pointers that only the kernel has, and a thread whose waiting nothing of ours may end. */
static void waits(void) {
    uint64_t random = storm_stream(5);
    int ends[2], many = epoll_create1(EPOLL_CLOEXEC);
    pthread_t sleeper;
    STORM_CHECK(many >= 0 && pipe(ends) == 0);
    bool sleeps = pthread_create(&sleeper, NULL, sleep_run, ends) == 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = make(100, make(60, NULL))};
    STORM_CHECK(epoll_ctl(many, EPOLL_CTL_ADD, ends[0], &event) == 0);
    event.data.ptr = NULL;
    for (int i = 0; i < 12; i++) {
        struct timespec rest = {0, 1000000};
        churn(global, &random, 500);
        STORM_CHECK(nanosleep(&rest, NULL) == 0);
    }
    STORM_CHECK(write(ends[1], "x", 1) == 1);
    STORM_CHECK(epoll_wait(many, &event, 1, -1) == 1);
    struct checked *block = event.data.ptr;
    checked_verify(block);
    checked_verify(block->link);
    if (sleeps)
        STORM_CHECK(pthread_join(sleeper, NULL) == 0);
}

/* Frees all it takes, so that nothing is lost but what the other half of a pair leads to. */
static void leaks(void) {
    for (int i = 0; i < 300; i++) {
        struct checked *block = make(100, make(64, NULL));
        if (i % 3)
            checked_free(block->link);
        if (i % 3)
            checked_free(block);
        global[i % HELD] = NULL;
    }
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"threads", threads},     {"forks", forks}, {"large", large}, {"mapped", mapped},
                 {"libraries", libraries}, {"waits", waits}, {"leaks", leaks}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (count == 2 && strcmp(arguments[1], cases[i].name) == 0) {
            cases[i].run();
            printf("%s held\n", arguments[1]);
            return 0;
        }
    fprintf(stderr, "usage: cases NAME\n");
    return 2;
}
