/* A program for test/leaks/report.py: churn CHECKS THREADS has so many leak checks made, one after
 * the other, while so many threads do nothing but take and free blocks, of which none is lost.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

enum { HELD = 64, BLOCK_BYTES = 40, MOST_THREADS = 16 };

static volatile bool over;

static void *churn(void *context) {
    void *volatile held[HELD] = {NULL};
    for (size_t i = 0; !over; i++) {
        free(held[i % HELD]);
        held[i % HELD] = malloc(BLOCK_BYTES);
    }
    for (size_t i = 0; i < HELD; i++)
        free(held[i]);
    return context;
}

int main(int count, char **arguments) {
    pthread_t threads[MOST_THREADS];
    int checks = count > 1 ? atoi(arguments[1]) : 1, leaky = 0;
    int wanted = count > 2 ? atoi(arguments[2]) : 1;
    if (__lsan_do_recoverable_leak_check == NULL || wanted > MOST_THREADS)
        return 2;
    for (int i = 0; i < wanted; i++)
        if (pthread_create(&threads[i], NULL, churn, NULL) != 0)
            return 1;
    for (int i = 0; i < checks; i++)
        leaky += __lsan_do_recoverable_leak_check();
    over = true;
    for (int i = 0; i < wanted; i++)
        pthread_join(threads[i], NULL);
    printf("%d\n", leaky);
    return 0;
}
