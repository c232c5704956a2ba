/* What threads hold while they live, and lose when they end. */
#include "corpus.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __thread void *volatile own;
static sem_t ready;

static void *lose(void *argument) {
    CORPUS_USE(malloc(70));
    return argument;
}

static void *hold_on_stack(void *argument) {
    void *volatile block = malloc(71);
    CORPUS_USE(block);
    sem_post(&ready);
    pause();
    CORPUS_USE(block);
    return argument;
}

static void *hold_in_local(void *argument) {
    own = malloc(72);
    sem_post(&ready);
    if (argument)
        pause();
    return NULL;
}

static void *give(void *argument) {
    (void)argument;
    return malloc(73);
}

static void run_to_end(void *(*function)(void *)) {
    pthread_t thread;
    pthread_create(&thread, NULL, function, NULL);
    pthread_join(thread, NULL);
}

static void run_on(void *(*function)(void *), void *argument) {
    pthread_t thread;
    sem_init(&ready, 0, 0);
    pthread_create(&thread, NULL, function, argument);
    pthread_detach(thread);
    sem_wait(&ready);
}

static void thread_lost(void) { run_to_end(lose); }
static void thread_result(void) { run_to_end(give); }
static void thread_stack_alive(void) { run_on(hold_on_stack, NULL); }
static void thread_local_alive(void) { run_on(hold_in_local, &ready); }

static void *hold_and_end(void *argument) {
    hold_in_local(argument);
    return NULL;
}

static void thread_local_dead(void) {
    sem_init(&ready, 0, 0);
    run_to_end(hold_and_end);
}

static void *hold_in_frame(void *argument) {
    void *volatile blocks[10];
    for (int i = 0; i < 10; i++)
        blocks[i] = malloc(20);
    CORPUS_USE(blocks);
    return argument;
}

static void thread_stack_dead(void) { run_to_end(hold_in_frame); }

static void *signal_and_lose(void *argument) {
    lose(argument);
    sem_post(&ready);
    return NULL;
}

static void thread_detached(void) {
    run_on(signal_and_lose, NULL);
    usleep(50000);
}

static void thread_many(void) {
    for (int i = 0; i < 50; i++)
        run_to_end(lose);
}

static pthread_key_t key;

static void *set_key(void *argument) {
    pthread_setspecific(key, malloc(74));
    return argument;
}

static void key_dead(void) {
    pthread_key_create(&key, NULL);
    run_to_end(set_key);
}

static void key_freed(void) {
    pthread_key_create(&key, free);
    run_to_end(set_key);
}

static void key_alive(void) {
    pthread_key_create(&key, NULL);
    set_key(NULL);
}

static void key_many(void) {
    for (int i = 0; i < 40; i++) {
        pthread_key_t one;
        pthread_key_create(&one, NULL);
        pthread_setspecific(one, malloc(75));
    }
}

static void local_alive(void) { own = malloc(76); }

static void *exit_with_block(void *argument) {
    void *volatile block = malloc(77);
    CORPUS_USE(block);
    exit(0);
    CORPUS_USE(block);
    return argument;
}

static void thread_exits(void) { run_to_end(exit_with_block); }

static void argument_alive(void) {
    pthread_t thread;
    sem_init(&ready, 0, 0);
    pthread_create(&thread, NULL, hold_in_local, malloc(78));
    sem_wait(&ready);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *wait_for_mutex(void *argument) {
    void *volatile block = malloc(79);
    CORPUS_USE(block);
    sem_post(&ready);
    pthread_mutex_lock(&mutex);
    CORPUS_USE(block);
    return argument;
}

static void thread_waiting(void) {
    pthread_mutex_lock(&mutex);
    run_on(wait_for_mutex, NULL);
}

const struct leak_case threads_cases[] = {
    {"thread_lost", 1, 70, thread_lost, 0},
    {"thread_result", 1, 73, thread_result, 0},
    {"thread_stack_alive", 0, 0, thread_stack_alive, 0},
    {"thread_local_alive", 0, 0, thread_local_alive, 0},
    {"thread_local_dead", 1, 72, thread_local_dead, 0},
    {"thread_stack_dead", 10, 200, thread_stack_dead, 0},
    {"thread_detached", 1, 70, thread_detached, 0},
    {"thread_many", 50, 3500, thread_many, 0},
    {"thread_exits", 0, 0, thread_exits, 0},
    {"thread_waiting", 0, 0, thread_waiting, 0},
    {"key_dead", 1, 74, key_dead, 0},
    {"key_freed", 0, 0, key_freed, 0},
    {"key_alive", 0, 0, key_alive, 0},
    {"key_many", 0, 0, key_many, 0},
    {"local_alive", 0, 0, local_alive, 0},
    {"argument_alive", 0, 0, argument_alive, 0},
    {NULL, 0, 0, NULL, 0},
};
