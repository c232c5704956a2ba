/*
 * A process with many threads or many maps: how long does a collection stop it?
 *
 * The threads wait, each with a block that only its stack leads to. Each map is a page with a block
 * that only this page leads to, and beside it a page that cannot be written to, so that each is two
 * maps to the kernel; every tenth is written to again all the time. The main thread allocates and
 * loses all of it. Every block is checked at the end. The collector tells of its stops: tithe with
 * stats=1, libgc by object_memory.h. libgc knows nothing of maps, so there are none for it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arguments.h"
#include "check.h"
#include "object_memory.h"

enum { BLOCK_BYTES = 100, LOST_BYTES = 400, LOST_AT_ONCE = 1000, STACK_BYTES = 64 << 10 };

static size_t threads = 0, maps = 0, mebibytes = 400;
static atomic_size_t waiting, checked;
static atomic_bool finish;
static size_t page_bytes;

/* Other bytes for each. */
static unsigned char *block_new(size_t number) {
    unsigned char *block = object_allocate(BLOCK_BYTES);
    CHECK(block, "there is memory");
    memset(block, (int)(number % 250 + 1), BLOCK_BYTES);
    return block;
}

static void block_check(const unsigned char *block, size_t number) {
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        CHECK(block[i] == number % 250 + 1, "a block that is in use stays as it is");
}

static void *wait_for_the_end(void *number) {
    unsigned char *volatile block = block_new((uintptr_t)number);
    atomic_fetch_add(&waiting, 1);
    while (!finish)
        usleep(200000);
    block_check(block, (uintptr_t)number);
    atomic_fetch_add(&checked, 1);
    return NULL;
}

static void start_threads(pthread_t *ids) {
    for (size_t i = 0; i < threads; i++)
        CHECK(object_thread_create(&ids[i], wait_for_the_end, (void *)(uintptr_t)i) == 0,
              "a thread can be created");
    while (waiting < threads)
        usleep(1000);
}

static unsigned char *volatile *map_new(size_t number) {
    char *map =
        mmap(NULL, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED && mprotect(map + page_bytes, page_bytes, PROT_READ) == 0,
          "there may be so many maps: see vm.max_map_count");
    unsigned char *volatile *place = (unsigned char *volatile *)map;
    *place = block_new(number);
    return place;
}

/* The list of places must not lead to the blocks, nor to the maps. */
static void make_maps(uintptr_t *hidden) {
    for (size_t i = 0; i < maps; i++)
        hidden[i] = ~(uintptr_t)map_new(i);
}

static unsigned char *volatile *place_of(uintptr_t hidden) {
    return (unsigned char *volatile *)~hidden;
}

static void allocate_and_lose(const uintptr_t *hidden) {
    static void *volatile lost;
    for (size_t bytes = 0; bytes < mebibytes << 20; bytes += LOST_AT_ONCE * LOST_BYTES) {
        for (int i = 0; i < LOST_AT_ONCE; i++)
            lost = object_allocate(LOST_BYTES);
        for (size_t i = 0; i < maps; i += 10)
            place_of(hidden[i])[1] = NULL;
    }
    (void)lost;
}

int main(int count, char **values) {
    const struct argument arguments[] = {
        {"threads", "threads that wait", &threads, 0, NULL},
        {"maps", "pairs of maps", &maps, 0, NULL},
        {"mebibytes", "MiB to allocate", &mebibytes, 1, NULL},
    };
    read_arguments(values, arguments, sizeof arguments / sizeof *arguments);
    (void)count;
    object_memory_start(false);
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    pthread_t *ids = calloc(threads + 1, sizeof *ids);
    uintptr_t *hidden = calloc(maps + 1, sizeof *hidden);
    CHECK(ids && hidden, "there is memory");
    start_threads(ids);
    make_maps(hidden);
    allocate_and_lose(hidden);
    finish = true;
    for (size_t i = 0; i < threads; i++)
        CHECK(object_thread_join(ids[i]) == 0, "a thread can be joined");
    for (size_t i = 0; i < maps; i++)
        block_check(*place_of(hidden[i]), i);
    CHECK(checked == threads, "every thread has checked its block");
    printf("threads %zu maps %zu\n", threads, maps);
    return 0;
}
