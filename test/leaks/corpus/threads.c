/* What threads hold while they live, and lose when they end. */
#include "corpus.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
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

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_work = PTHREAD_COND_INITIALIZER;

__attribute__((noinline)) static void lose_small(void) { CORPUS_USE(malloc(55)); }

/* Works once, and waits for more. */
static void *wait_for_work(void *argument) {
    lose_small();
    pthread_mutex_lock(&pool_lock);
    sem_post(&ready);
    for (;;)
        pthread_cond_wait(&pool_work, &pool_lock);
    return argument;
}

static void thread_pool(void) {
    for (int i = 0; i < 20; i++)
        run_on(wait_for_work, NULL);
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

/* Libc keeps what a detached thread has ended with for the next one. */
static void detached_local_dead(void) {
    for (int i = 0; i < 4; i++)
        run_on(hold_in_local, NULL);
    usleep(100000);
}

static pthread_key_t plain_key;

static void *hold_by_key(void *argument) {
    pthread_setspecific(plain_key, malloc(130));
    sem_post(&ready);
    return argument;
}

static void detached_key_dead(void) {
    pthread_key_create(&plain_key, NULL);
    for (int i = 0; i < 4; i++)
        run_on(hold_by_key, NULL);
    usleep(100000);
}

static void joined_later(void) {
    pthread_t threads[8];
    sem_init(&ready, 0, 0);
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, hold_in_local, NULL);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static tss_t c_key;

static int hold_by_c_key(void *argument) {
    tss_set(c_key, malloc(131));
    return argument != NULL;
}

static void c_thread_key_dead(void) {
    tss_create(&c_key, NULL);
    for (int i = 0; i < 3; i++) {
        thrd_t thread;
        thrd_create(&thread, hold_by_c_key, NULL);
        thrd_join(thread, NULL);
    }
}

static void *use_library(void *library) {
    void (*hold)(size_t bytes);
    *(void **)&hold = dlsym(library, "library_hold_in_thread");
    hold(132);
    sem_post(&ready);
    return NULL;
}

/* The library's thread-local memory is a block of its own, in a table that outlives the thread. */
static void library_local_dead(void) {
    void *library = dlopen(getenv("CORPUS_LIBRARY"), RTLD_NOW);
    if (library == NULL)
        abort();
    for (int i = 0; i < 2; i++)
        run_on(use_library, library);
    pthread_t thread;
    pthread_create(&thread, NULL, use_library, library);
    pthread_join(thread, NULL);
    use_library(library);
    usleep(100000);
}

static void *wait_for_ever(void *argument) {
    sem_post(&ready);
    pause();
    return argument;
}

/* Blocks as large as what our wrapper of pthread_create takes for a while. */
static void beside_threads(void) {
    for (int i = 0; i < 4; i++)
        run_on(wait_for_ever, NULL);
    for (size_t bytes = 1; bytes <= 64; bytes++)
        CORPUS_USE(malloc(bytes));
}

static void *lose_later(void *argument) {
    usleep(50000);
    return lose(argument);
}

/* The process ends when the last thread does. */
static void main_leaves(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, lose_later, NULL);
    pthread_detach(thread);
    CORPUS_USE(malloc(70));
    pthread_exit(NULL);
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
    {"thread_pool", 20, 20 * 55, thread_pool, 0},
    {"thread_many", 50, 3500, thread_many, 0},
    {"thread_exits", 0, 0, thread_exits, 0},
    {"thread_waiting", 0, 0, thread_waiting, 0},
    {"detached_local_dead", 4, 4 * 72, detached_local_dead, 0},
    {"detached_key_dead", 4, 4 * 130, detached_key_dead, 0},
    {"joined_later", 8, 8 * 72, joined_later, 0},
    {"c_thread_key_dead", 3, 3 * 131, c_thread_key_dead, 0},
    {"library_local_dead", 3, 3 * 132, library_local_dead, 0},
    {"beside_threads", 64, 64 * 65 / 2, beside_threads, 0},
    {"main_leaves", 2, 2 * 70, main_leaves, 0},
    {"key_dead", 1, 74, key_dead, 0},
    {"key_freed", 0, 0, key_freed, 0},
    {"key_alive", 0, 0, key_alive, 0},
    {"key_many", 0, 0, key_many, 0},
    {"local_alive", 0, 0, local_alive, 0},
    {"argument_alive", 0, 0, argument_alive, 0},
    {NULL, 0, 0, NULL, 0},
};
