/* Programs for trials: hidden CASE. Each ends with 0 if it found all of its own memory as it left
 * it; what a trial should tell of it is in test/trial.sh. Blocks are taken and hidden in a function
 * named for that, so that the stack can be looked for; what lies on the stack is wiped before
 * anything is collected.
 */
#include "tithe.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 100, BYTES = 48, LARGE_BYTES = 300000, WIPED_BYTES = 64 << 10 };
static const uintptr_t key = 0x5555555555555555u;

struct node {
    struct node *next;
    size_t number;
    char rest[BYTES - 16];
};

static uintptr_t hidden[BLOCKS];
static void *volatile table[BLOCKS];
static void *volatile sink;

__attribute__((noinline)) static void wipe_stack(void) {
    volatile char bytes[WIPED_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0;
}

static void collect(void) {
    wipe_stack();
    if (tithe_collect)
        tithe_collect();
}

__attribute__((noinline)) static struct node *make_hidden_node(size_t number, size_t bytes) {
    struct node *node = malloc(bytes);
    memset(node, 0, bytes);
    node->number = number;
    return node;
}

__attribute__((noinline)) static void hide_all(size_t bytes) {
    for (size_t i = 0; i < BLOCKS; i++)
        hidden[i] = (uintptr_t)make_hidden_node(i, bytes) ^ key;
}

__attribute__((noinline)) static struct node *find(size_t i) {
    struct node *node = (struct node *)(hidden[i] ^ key);
    if (node->number != i) {
        printf("block %zu is not what it was\n", i);
        exit(1);
    }
    return node;
}

__attribute__((noinline)) static void free_found(size_t i) { free(find(i)); }

static void hide_and_collect(void) {
    hide_all(BYTES);
    collect();
}

static void freed(void) {
    hide_and_collect();
    for (size_t i = 0; i < BLOCKS; i++)
        free_found(i);
}

static void large(void) {
    hide_all(LARGE_BYTES);
    collect();
    for (size_t i = 0; i < BLOCKS; i++)
        free_found(i);
}

static void written(void) {
    hide_and_collect();
    for (size_t i = 0; i < BLOCKS; i++)
        find(i)->rest[i % 32] = 1;
}

static void held(void) {
    hide_and_collect();
    for (size_t i = 0; i < BLOCKS; i++)
        table[i] = find(i);
    collect();
}

static void resized(void) {
    hide_and_collect();
    for (size_t i = 0; i < BLOCKS; i++)
        table[i] = realloc(find(i), 2 * BYTES);
}

static void asked(void) {
    hide_and_collect();
    for (size_t i = 0; i < BLOCKS; i++)
        if (malloc_usable_size(find(i)) < BYTES)
            exit(1);
}

/* Some lead to others; only the first of each ten is found in the table. */
static void chained(void) {
    hide_all(BYTES);
    for (size_t i = 0; i < BLOCKS; i++)
        if (i % 10 < 9)
            find(i)->next = find(i + 1);
    collect();
    for (size_t i = 0; i < BLOCKS; i += 10)
        table[i] = find(i);
    collect();
}

static void in_file(void) {
    FILE *file = tmpfile();
    uintptr_t address;
    for (size_t i = 0; i < BLOCKS; i++) {
        address = (uintptr_t)make_hidden_node(i, BYTES);
        write(fileno(file), &address, sizeof address);
    }
    address = 0;
    collect();
    lseek(fileno(file), 0, SEEK_SET);
    for (size_t i = 0; i < BLOCKS; i++) {
        if (read(fileno(file), &address, sizeof address) != sizeof address ||
            ((struct node *)address)->number != i)
            exit(1);
        free((void *)address);
    }
}

static void in_pipe(void) {
    int ends[2];
    uintptr_t address;
    if (pipe(ends) != 0)
        exit(1);
    for (size_t i = 0; i < BLOCKS; i++) {
        address = (uintptr_t)make_hidden_node(i, BYTES);
        write(ends[1], &address, sizeof address);
    }
    address = 0;
    collect();
    for (size_t i = 0; i < BLOCKS; i++) {
        if (read(ends[0], &address, sizeof address) != sizeof address)
            exit(1);
        table[i] = (void *)address;
    }
    address = 0;
    collect();
}

static pthread_barrier_t barrier;

/* Holds the one that it has found on its stack only. */
static void *hold_on_stack(void *context) {
    struct node *volatile node = find(7);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return node->number == 7 ? context : NULL;
}

static void on_stack(void) {
    pthread_t thread;
    hide_and_collect();
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, hold_on_stack, NULL);
    pthread_barrier_wait(&barrier);
    collect();
    collect();
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
}

/* A frame that does not write what it takes of the stack: what an earlier function left there is
 * no sign of life. */
__attribute__((noinline)) static void leave_on_stack(void) {
    struct node *volatile nodes[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        nodes[i] = make_hidden_node(i, BYTES);
    sink = nodes[BLOCKS - 1];
    sink = NULL;
}

__attribute__((noinline)) static void cover(void) {
    volatile char room[4096];
    room[0] = 1;
    if (tithe_collect)
        tithe_collect();
    room[1] = room[0];
}

static void old_stack(void) {
    leave_on_stack();
    tithe_collect();
    cover();
    cover();
}

static void *volatile kept[1000];

static void clean(void) {
    for (size_t i = 0; i < 200000; i++) {
        free(kept[i % 1000]);
        kept[i % 1000] = malloc(16 + i % 500);
        if (i % 20000 == 0)
            collect();
    }
    for (size_t i = 0; i < 1000; i++)
        free(kept[i]);
}

__attribute__((noinline)) static void lose(size_t blocks, size_t bytes) {
    for (size_t i = 0; i < blocks; i++)
        sink = memset(malloc(bytes), 1, bytes);
    sink = NULL;
}

static void leaky(void) {
    for (int i = 0; i < 10; i++) {
        lose(100, 100);
        collect();
    }
}

static void late(void) { lose(1000, 100); }

static void child(void) {
    int status;
    hide_and_collect();
    pid_t process = fork();
    if (process == 0) {
        free_found(3);
        exit(0);
    }
    waitpid(process, &status, 0);
}

static void executed(void) {
    hide_and_collect();
    free_found(3);
    execl("/bin/true", "true", NULL);
}

static void *thread_of_storm(void *context) {
    unsigned seed = (uintptr_t)context;
    for (size_t i = 0; i < 100000; i++) {
        void *block = malloc(16 + rand_r(&seed) % 300);
        if (rand_r(&seed) % 4)
            free(block);
    }
    return NULL;
}

static void storm(void) {
    pthread_t threads[4];
    hide_and_collect();
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, thread_of_storm, (void *)i);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < BLOCKS; i++)
        free_found(i);
}

static void leave_by_exit(void) {
    hide_and_collect();
    free_found(5);
    _exit(0);
}

static void leave_in_handler(int number) { _exit(number == SIGALRM ? 0 : 1); }

/* Most likely in the middle of an allocation. */
static void interrupted(void) {
    struct itimerval soon = {{0, 0}, {0, 3000}};
    signal(SIGALRM, leave_in_handler);
    setitimer(ITIMER_REAL, &soon, NULL);
    for (;;)
        sink = malloc(100);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {{"freed", freed},
             {"large", large},
             {"written", written},
             {"held", held},
             {"resized", resized},
             {"asked", asked},
             {"chained", chained},
             {"file", in_file},
             {"pipe", in_pipe},
             {"stack", on_stack},
             {"old-stack", old_stack},
             {"clean", clean},
             {"leaky", leaky},
             {"late", late},
             {"child", child},
             {"exec", executed},
             {"storm", storm},
             {"_exit", leave_by_exit},
             {"interrupted", interrupted}};

int main(int count, char **arguments) {
    for (size_t i = 0; count == 2 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(arguments[1], cases[i].name) == 0) {
            cases[i].run();
            return 0;
        }
    fprintf(stderr, "no such case\n");
    return 2;
}
