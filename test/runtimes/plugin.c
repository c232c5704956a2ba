/* Loads a language when collections are under way already, as a plugin does, and runs it in a
 * thread beside others that allocate: plugin LIBRARY. The library's plugin_run does what is to be
 * done. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 2, MOST_BYTES = 2000 };

static volatile int done;

static void *lose(void *argument) {
    for (unsigned i = 0; !done; i++) {
        void *volatile lost = malloc(16 + i % MOST_BYTES);
        memset(lost, 0xa5, 16);
        if (i % 4096 == 0)
            usleep(100);
    }
    return argument;
}

int main(int count, char **arguments) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, lose, NULL);
    usleep(200000);
    void *library = dlopen(count > 1 ? arguments[1] : "", RTLD_NOW | RTLD_GLOBAL);
    int (*run)(void) = library ? (int (*)(void))dlsym(library, "plugin_run") : NULL;
    int status = run ? run() : 1;
    if (run == NULL)
        fprintf(stderr, "%s\n", dlerror());
    done = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return status;
}
