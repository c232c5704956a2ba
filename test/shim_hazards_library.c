/* A library that test/shim_hazards_test.c loads: its constructor waits for a thread and
 * registers fork handlers, which go with the library. It makes and frees blocks, too. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void *sleep_shortly(void *argument) {
    usleep(1000);
    return argument;
}

static void nothing(void) {}

__attribute__((constructor)) static void wait_for_thread(void) {
    pthread_t thread;
    pthread_atfork(nothing, nothing, nothing);
    if (pthread_create(&thread, NULL, sleep_shortly, NULL) == 0)
        pthread_join(thread, NULL);
}

void *library_make(size_t bytes);
void *library_make(size_t bytes) { return malloc(bytes); }

void library_free(void *block);
void library_free(void *block) { free(block); }
