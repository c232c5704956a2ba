/* How processes end, and what their children make of it. */
#include "corpus.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void lose(size_t bytes) { CORPUS_USE(malloc(bytes)); }

static void leave_at_once(void) {
    lose(110);
    _exit(0);
}

static void leave_quickly(void) {
    lose(111);
    quick_exit(0);
}

static void leave(void) {
    lose(112);
    exit(0);
}

__attribute__((noinline)) static void leave_from(void *block) {
    CORPUS_USE(block);
    exit(0);
}

static void leave_holding(void) {
    void *volatile block = malloc(113);
    leave_from(NULL);
    CORPUS_USE(block);
}

static void at_exit_free(void) { free(corpus_kept[0]); }

static void freed_at_exit(void) {
    corpus_kept[0] = malloc(114);
    atexit(at_exit_free);
}

static void at_exit_lose(void) { lose(115); }
static void lost_at_exit(void) { atexit(at_exit_lose); }

static void closed_output(void) {
    lose(116);
    close(0);
    close(1);
    close(2);
}

/* Daemons close everything. */
static void closed_all(void) {
    lose(117);
    closefrom(0);
}

static void wait_for_child(void) {
    int status;
    while (wait(&status) > 0)
        continue;
}

static void child_loses(void) {
    corpus_kept[0] = malloc(118);
    if (fork() == 0) {
        lose(119);
        exit(0);
    }
    wait_for_child();
}

/* What the parent holds or has lost is not the child's doing. */
static void child_inherits(void) {
    void *volatile block = malloc(120);
    corpus_kept[0] = malloc(121);
    CORPUS_USE(block);
    usleep(20000);
    if (fork() == 0)
        exit(0);
    wait_for_child();
    CORPUS_USE(block);
    free(block);
}

static void child_of_child(void) {
    if (fork() == 0) {
        if (fork() == 0)
            exit(0);
        wait_for_child();
        lose(122);
        exit(0);
    }
    wait_for_child();
}

static void *wait_with_block(void *argument) {
    void *volatile block = malloc(5000);
    CORPUS_USE(block);
    pause();
    CORPUS_USE(block);
    return argument;
}

/* In the child, the other threads are gone and their stacks are still there. */
static void child_of_threads(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, wait_with_block, NULL);
    usleep(20000);
    if (fork() == 0) {
        for (size_t bytes = 1; bytes <= 40; bytes++)
            lose(bytes);
        exit(0);
    }
    wait_for_child();
}

static void with_vfork(void) {
    lose(123);
    if (vfork() == 0)
        _exit(0);
    wait_for_child();
}

static void with_shell(void) {
    lose(124);
    if (system("true") != 0)
        abort();
}

static void another_root(void) {
    lose(125);
    if (geteuid() == 0 && chroot("/proc/self") != 0)
        abort();
}

const struct leak_case process_cases[] = {
    {"leave_at_once", 1, 110, leave_at_once, 0},
    {"leave_quickly", 1, 111, leave_quickly, 0},
    {"leave", 1, 112, leave, 0},
    {"leave_holding", 0, 0, leave_holding, 0},
    {"freed_at_exit", 0, 0, freed_at_exit, 0},
    {"lost_at_exit", 1, 115, lost_at_exit, 0},
    {"closed_output", 1, 116, closed_output, 0},
    {"closed_all", 1, 117, closed_all, 0},
    {"child_loses", 1, 119, child_loses, 1},
    {"child_inherits", 0, 0, child_inherits, 1},
    {"child_of_child", 1, 122, child_of_child, 1},
    {"child_of_threads", 40, 40 * 41 / 2, child_of_threads, 1},
    {"with_vfork", 1, 123, with_vfork, 0},
    {"with_shell", 1, 124, with_shell, 0},
    {"another_root", 1, 125, another_root, 0},
    {NULL, 0, 0, NULL, 0},
};
