/* Loses memory in one of several ways; natively it would need all of it. Run in a small control
 * group by small_memory.sh: small_memory WAY LOST_MIB [MIB]. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILL = 0xee, THREADS = 4 };

static size_t lost;

struct sizes {
    size_t least, most;
    unsigned seed;
};

static void *lose(void *argument) {
    const struct sizes *sizes = argument;
    unsigned random = sizes->seed;
    for (size_t bytes, sum = 0; sum < lost; sum += bytes) {
        random = random * 1103515245 + 12345;
        bytes = sizes->least + (random >> 8) % (sizes->most - sizes->least);
        char *block = malloc(bytes);
        if (block == NULL)
            _exit(2);
        memset(block, FILL, bytes);
    }
    return NULL;
}

static struct sizes small = {16, 2016, 1}, large = {100000, 1000000, 2};

static void lose_in_threads(void) {
    pthread_t threads[THREADS];
    struct sizes sizes[THREADS];
    lost /= THREADS;
    for (unsigned i = 0; i < THREADS; i++) {
        sizes[i] = (struct sizes){16, 2016, i};
        pthread_create(&threads[i], NULL, lose, &sizes[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

struct node {
    struct node *next;
    char rest[40];
};

/* What is kept stays whole. */
static void lose_beside(size_t kept) {
    struct node *first = NULL;
    size_t count = kept / sizeof *first, found = 0;
    for (size_t i = 0; i < count; i++) {
        struct node *node = malloc(sizeof *node);
        if (node == NULL)
            _exit(2);
        memset(node->rest, FILL, sizeof node->rest);
        node->next = first;
        first = node;
    }
    lose(&small);
    for (struct node *node = first; node; node = node->next)
        found += node->rest[0] == (char)FILL;
    if (found != count)
        _exit(3);
}

/* Another process of the group takes its part bit by bit. */
static void lose_while_another_grows(size_t bytes) {
    pid_t child = fork();
    if (child == 0) {
        for (size_t at = 0; at < bytes; at += 1 << 18) {
            char *map =
                mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(map, FILL, 1 << 18);
            usleep(10000);
        }
        pause();
    }
    lose(&small);
    if (waitpid(child, NULL, WNOHANG) != 0)
        _exit(4);
    kill(child, SIGKILL);
}

/* Address space is not memory. */
static void lose_beside_a_sparse_table(void) {
    const size_t gibibyte = 1 << 30;
    char *volatile table = calloc(2 * gibibyte, 1);
    for (size_t i = 0; i < 16; i++)
        table[i * (gibibyte / 8)] = 1;
    lose(&small);
    for (size_t i = 0; i < 16; i++)
        if (table[i * (gibibyte / 8)] != 1)
            _exit(5);
}

int main(int count, char **arguments) {
    const char *way = count > 2 ? arguments[1] : "";
    size_t bytes = count > 3 ? (size_t)atol(arguments[3]) << 20 : 0;
    lost = count > 2 ? (size_t)atol(arguments[2]) << 20 : 0;
    if (strcmp(way, "small") == 0)
        lose(&small);
    else if (strcmp(way, "large") == 0)
        lose(&large);
    else if (strcmp(way, "threads") == 0)
        lose_in_threads();
    else if (strcmp(way, "beside") == 0)
        lose_beside(bytes);
    else if (strcmp(way, "another") == 0)
        lose_while_another_grows(bytes);
    else if (strcmp(way, "sparse") == 0)
        lose_beside_a_sparse_table();
    else
        return 1;
    return 0;
}
