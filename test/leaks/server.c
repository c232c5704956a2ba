/* A program for test/leaks/report.py that leaks like a server: server MIB [MILLISECONDS [THREADS]]
 * takes so many MiB of requests in each thread, and waits so long after every MiB of them. Of every
 * other request its block and a ring of two small ones are lost; the others go through a small
 * cache. Prints how many blocks and bytes were lost, and the most memory the process ever had, in
 * KiB.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { REQUEST_BYTES = 1000, RING_BYTES = 12, CACHED = 64 };

struct request {
    struct ring *ring;
    char text[REQUEST_BYTES - sizeof(void *)];
};

struct ring {
    struct ring *other;
    char rest[RING_BYTES - sizeof(void *)];
} __attribute__((packed));

static size_t requests;
static useconds_t pause_after;
static size_t lost_requests;

__attribute__((noinline)) static struct request *server_take(size_t number) {
    struct request *request = malloc(sizeof *request);
    struct ring *one = malloc(sizeof *one), *two = malloc(sizeof *two);
    memset(request, (int)number, sizeof *request);
    one->other = two;
    two->other = one;
    request->ring = one;
    return request;
}

__attribute__((noinline)) static void server_drop(struct request *request) {
    if (request == NULL)
        return;
    free(request->ring->other);
    free(request->ring);
    free(request);
}

__attribute__((noinline)) static void server_serve(size_t number, struct request **cache) {
    struct request *request = server_take(number);
    if (number % 2 == 0) {
        __atomic_fetch_add(&lost_requests, 1, __ATOMIC_RELAXED);
        return;
    }
    server_drop(cache[number % CACHED]);
    cache[number % CACHED] = request;
}

__attribute__((noinline)) static void overwrite_stack(void) {
    volatile char buffer[8192];
    memset((void *)buffer, 0, sizeof buffer);
}

static void *serve_all(void *context) {
    struct request *cache[CACHED] = {NULL};
    for (size_t i = 0; i < requests; i++) {
        server_serve(i, cache);
        if (pause_after && i % 1024 == 0)
            usleep(pause_after);
    }
    for (size_t i = 0; i < CACHED; i++)
        server_drop(cache[i]);
    overwrite_stack();
    return context;
}

static size_t argument(int count, char **arguments, int at, size_t otherwise) {
    return count > at ? strtoul(arguments[at], NULL, 10) : otherwise;
}

int main(int count, char **arguments) {
    enum { MOST_THREADS = 16 };
    pthread_t threads[MOST_THREADS];
    struct rusage usage;
    size_t thread_count = argument(count, arguments, 3, 1);
    requests = argument(count, arguments, 1, 1) * 1024;
    pause_after = argument(count, arguments, 2, 0) * 1000;
    for (size_t i = 1; i < thread_count && i < MOST_THREADS; i++)
        if (pthread_create(&threads[i], NULL, serve_all, NULL) != 0)
            return 1;
    serve_all(NULL);
    for (size_t i = 1; i < thread_count && i < MOST_THREADS; i++)
        pthread_join(threads[i], NULL);
    overwrite_stack();
    getrusage(RUSAGE_SELF, &usage);
    printf("%zu %zu %ld\n", 3 * lost_requests,
           lost_requests * (sizeof(struct request) + 2 * sizeof(struct ring)), usage.ru_maxrss);
    return 0;
}
