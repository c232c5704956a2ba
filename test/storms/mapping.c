/* Storm: foreign memory that holds the only pointers is mapped, moved, mapped anew at the same
 * place, made read-only, dropped and unmapped under the marker, next to threads that block all
 * signals or live on signals: a timer's handler keeps pointers in its frames, blocking calls are
 * interrupted by nobody but must not notice us.
 */
#include "storm.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

enum { PAGES = 64, PAGE_BYTES = 4096, WORDS = PAGES * PAGE_BYTES / sizeof(void *), STEP = 61 };

static void fill(struct checked **map, uint64_t *random) {
    for (size_t i = 0; i < WORDS; i += STEP)
        map[i] = checked_make(storm_random(random) % 500, NULL);
}

static void verify(struct checked *const *map) {
    for (size_t i = 0; i < WORDS; i += STEP)
        checked_verify(map[i]);
}

static void make_garbage(uint64_t *random, int count) {
    for (int i = 0; i < count; i++)
        checked_make(storm_random(random) % 1000, NULL);
}

static struct checked **map_new(void *at, int kind) {
    void *map = mmap(at, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
                     kind | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);
    STORM_CHECK(map != MAP_FAILED);
    return map;
}

static void *map_always(void *context) {
    uint64_t random = storm_stream((uintptr_t)context);
    struct checked **map = map_new(NULL, (uintptr_t)context % 2 ? MAP_PRIVATE : MAP_SHARED);
    fill(map, &random);
    while (storm_goes_on()) {
        switch (storm_random(&random) % 6) {
        case 0:
            map = mremap(map, PAGES * PAGE_BYTES, PAGES * PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
                         map_new(NULL, MAP_PRIVATE));
            STORM_CHECK(map != MAP_FAILED);
            break;
        case 1: {
            struct checked **moved = map_new(NULL, MAP_PRIVATE);
            memcpy(moved, map, PAGES * PAGE_BYTES);
            munmap(map, PAGES * PAGE_BYTES);
            map = moved;
            break;
        }
        case 2: {
            struct checked *kept[WORDS / STEP + 1];
            for (size_t i = 0; i < WORDS; i += STEP)
                kept[i / STEP] = map[i];
            map = map_new(map, MAP_PRIVATE);
            for (size_t i = 0; i < WORDS; i += STEP)
                map[i] = kept[i / STEP];
            break;
        }
        case 3:
            STORM_CHECK(mprotect(map, PAGES * PAGE_BYTES, PROT_READ) == 0);
            make_garbage(&random, 500);
            verify(map);
            STORM_CHECK(mprotect(map, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE) == 0);
            break;
        case 4:
            madvise(map, PAGES * PAGE_BYTES, MADV_DONTNEED);
            munmap(map, PAGES * PAGE_BYTES);
            map = map_new(NULL, MAP_PRIVATE);
            fill(map, &random);
            break;
        default:
            for (size_t i = 0; i + STEP < WORDS; i += STEP) {
                struct checked *first = map[i];
                map[i] = map[i + STEP];
                map[i + STEP] = first;
            }
        }
        make_garbage(&random, 300);
        verify(map);
    }
    return NULL;
}

static void *be_deaf(void *context) {
    uint64_t random = storm_stream((uintptr_t)context);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (storm_goes_on()) {
        struct checked *block = checked_make(storm_random(&random) % 2000, NULL);
        make_garbage(&random, 100);
        checked_verify(block);
    }
    return NULL;
}

static struct checked *volatile for_handler;
static volatile unsigned handled;

static void handle(int number) {
    struct checked *volatile own = for_handler;
    (void)number;
    for (volatile int i = 0; i < 2000; i++)
        if (own)
            checked_verify(own);
    handled++;
}

static void *feed_handler(void *context) {
    uint64_t random = storm_stream((uintptr_t)context);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
    while (storm_goes_on()) {
        for_handler = checked_make(storm_random(&random) % 2000, NULL);
        make_garbage(&random, 200);
    }
    return NULL;
}

/* No handler of the program's runs in this thread, so no call may be cut short. */
static void *wait_always(void *context) {
    int pipe_ends[2];
    char byte = 1;
    STORM_CHECK(pipe(pipe_ends) == 0);
    while (storm_goes_on()) {
        struct pollfd nothing = {.fd = pipe_ends[0], .events = POLLIN};
        struct timespec nap = {0, 3000000};
        double start = storm_now();
        STORM_CHECK(poll(&nothing, 1, 5) == 0);
        STORM_CHECK(nanosleep(&nap, NULL) == 0);
        STORM_CHECK(storm_now() - start >= 0.008);
        STORM_CHECK(write(pipe_ends[1], &byte, 1) == 1 && read(pipe_ends[0], &byte, 1) == 1);
    }
    return context;
}

int main(int count, char **arguments) {
    void *(*const roles[])(void *) = {map_always, map_always, be_deaf, feed_handler, wait_always};
    enum { ROLES = sizeof roles / sizeof *roles };
    pthread_t threads[ROLES];
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 1000}, {0, 1000}};
    sigset_t alarm;
    storm_start(count, arguments);
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (uintptr_t i = 0; i < ROLES; i++)
        STORM_CHECK(pthread_create(&threads[i], NULL, roles[i], (void *)(i + 1)) == 0);
    for (int i = 0; i < ROLES; i++)
        pthread_join(threads[i], NULL);
    STORM_CHECK(handled > 0);
    return 0;
}
