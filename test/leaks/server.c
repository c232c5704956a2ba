/* A program for test/leaks/report.py that leaks like a server: server MIB [MILLISECONDS] takes and
 * loses so many MiB of requests, and waits so long after every MiB of them. Half of a request's
 * block and a ring of two small ones are lost; a small cache stays. Prints how many blocks and bytes
 * were lost, and the most memory the process ever had, in KiB.
 */
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

static struct request *cache[CACHED];
static size_t lost_blocks, lost_bytes;

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

__attribute__((noinline)) static void server_serve(size_t number) {
    struct request *request = server_take(number);
    if (number % 2 == 0) {
        lost_blocks += 3;
        lost_bytes += sizeof *request + 2 * sizeof(struct ring);
        return;
    }
    server_drop(cache[number % CACHED]);
    cache[number % CACHED] = request;
}

__attribute__((noinline)) static void overwrite_stack(void) {
    volatile char buffer[8192];
    memset((void *)buffer, 0, sizeof buffer);
}

int main(int count, char **arguments) {
    size_t mib = count > 1 ? strtoul(arguments[1], NULL, 10) : 1;
    useconds_t wait = count > 2 ? strtoul(arguments[2], NULL, 10) * 1000 : 0;
    struct rusage usage;
    for (size_t i = 0; i < mib * 1024; i++) {
        server_serve(i);
        if (wait && i % 1024 == 0)
            usleep(wait);
    }
    overwrite_stack();
    getrusage(RUSAGE_SELF, &usage);
    printf("%zu %zu %ld\n", lost_blocks, lost_bytes, usage.ru_maxrss);
    return 0;
}
