/* A library that test/shim_hazards_test.c loads: its constructor waits for a thread. */
#include <pthread.h>
#include <unistd.h>

static void *sleep_shortly(void *argument) {
    usleep(1000);
    return argument;
}

__attribute__((constructor)) static void wait_for_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, sleep_shortly, NULL) == 0)
        pthread_join(thread, NULL);
}
