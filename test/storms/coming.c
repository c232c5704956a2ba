/* Storm: threads, processes and libraries come and go while marking runs, each with structures of
 * its own that it verifies: threads joined and detached, with destructors that allocate; threads
 * made without libc; forked children that go through collections of their own, vfork, posix_spawn;
 * a library whose data and thread-local memory hold the only pointers.
 */
#include "storm.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

enum { LIST = 300, CLONE_STACK = 65536 };

static pthread_key_t key;
static volatile unsigned running;

static struct checked *list_make(uint64_t *random, int length) {
    struct checked *list = NULL;
    for (int i = 0; i < length; i++)
        list = checked_make(storm_random(random) % 400, list);
    return list;
}

static void list_verify(const struct checked *list, int length) {
    for (; list; list = list->link, length--)
        checked_verify(list);
    STORM_CHECK(length == 0);
}

static void destroy_value(void *value) {
    uint64_t random = storm_stream((uintptr_t)value);
    list_verify(value, LIST);
    list_verify(list_make(&random, 20), 20);
}

static void *live_shortly(void *context) {
    uint64_t random = storm_stream((uintptr_t)context);
    pthread_setspecific(key, list_make(&random, LIST));
    struct checked *list = list_make(&random, LIST);
    for (int i = 0; i < 50; i++)
        checked_make(storm_random(&random) % 3000, NULL);
    list_verify(list, LIST);
    __atomic_fetch_sub(&running, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void *make_threads(void *context) {
    uint64_t random = storm_stream((uintptr_t)context);
    while (storm_goes_on()) {
        pthread_t thread;
        if (__atomic_fetch_add(&running, 1, __ATOMIC_ACQUIRE) > 12 ||
            pthread_create(&thread, NULL, live_shortly, (void *)(storm_random(&random) | 1))) {
            __atomic_fetch_sub(&running, 1, __ATOMIC_RELEASE);
            sched_yield();
        } else if (storm_random(&random) % 2) {
            pthread_detach(thread);
        } else {
            pthread_join(thread, NULL);
        }
    }
    return NULL;
}

/* Runs without thread-local memory of its own, so it only touches what it was given. */
static int bare_thread(void *context) {
    struct checked *volatile list = context;
    for (int i = 0; i < 2000; i++)
        for (const struct checked *at = list; at; at = at->link)
            if (at->disguise != ~(uint64_t)(uintptr_t)at)
                __builtin_trap();
    return 0;
}

static void run_bare_thread(uint64_t *random) {
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                      CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
    static pid_t tid;
    char *stack =
        mmap(NULL, CLONE_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    STORM_CHECK(stack != MAP_FAILED);
    __atomic_store_n(&tid, 1, __ATOMIC_RELEASE);
    STORM_CHECK(clone(bare_thread, stack + CLONE_STACK, flags, list_make(random, 50), NULL, NULL,
                      &tid) > 0);
    while (__atomic_load_n(&tid, __ATOMIC_ACQUIRE) != 0) {
        list_make(random, 10);
        sched_yield();
    }
    munmap(stack, CLONE_STACK);
}

/* Not exit(3): another thread may have been in dlclose, which holds a lock that exit wants. */
static void be_a_child(const struct checked *list, uint64_t random) {
    list_verify(list, LIST);
    struct checked *own = list_make(&random, LIST);
    for (int i = 0; i < 5000; i++)
        checked_make(storm_random(&random) % 2000, NULL);
    list_verify(own, LIST);
    list_verify(list, LIST);
    _exit(7);
}

static void wait_for(pid_t child, int expected) {
    int status = 0;
    STORM_CHECK(child > 0 && waitpid(child, &status, 0) == child);
    STORM_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == expected);
}

static void *make_processes(void *context) {
    uint64_t random = storm_stream((uintptr_t)context);
    char *arguments[] = {"/bin/true", NULL};
    while (storm_goes_on()) {
        struct checked *list = list_make(&random, LIST);
        pid_t child = fork();
        if (child == 0)
            be_a_child(list, random);
        wait_for(child, 7);
        child = vfork();
        if (child == 0) {
            execv(arguments[0], arguments);
            _exit(127);
        }
        wait_for(child, 0);
        STORM_CHECK(posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0);
        wait_for(child, 0);
        list_verify(list, LIST);
        run_bare_thread(&random);
    }
    return NULL;
}

/* The library's variables are found by name each time: this program holds no pointer to the list.
 */
static void *load_libraries(void *context) {
    uint64_t random = storm_stream((uintptr_t)context);
    const char *path = getenv("STORM_LIBRARY");
    while (path && storm_goes_on()) {
        void *library = dlopen(path, RTLD_NOW);
        STORM_CHECK(library != NULL);
        void **data = dlsym(library, "storm_data");
        void **(*local)(void) = (void **(*)(void))dlsym(library, "storm_local");
        *data = list_make(&random, LIST);
        *local() = list_make(&random, LIST);
        list_make(&random, 2000);
        list_verify(*data, LIST);
        list_verify(*local(), LIST);
        dlclose(library);
    }
    return NULL;
}

int main(int count, char **arguments) {
    void *(*const roles[])(void *) = {make_threads, make_threads, make_processes, load_libraries};
    enum { ROLES = sizeof roles / sizeof *roles };
    pthread_t threads[ROLES];
    storm_start(count, arguments);
    pthread_key_create(&key, destroy_value);
    for (uintptr_t i = 0; i < ROLES; i++)
        STORM_CHECK(pthread_create(&threads[i], NULL, roles[i], (void *)(i + 1)) == 0);
    for (int i = 0; i < ROLES; i++)
        pthread_join(threads[i], NULL);
    while (__atomic_load_n(&running, __ATOMIC_ACQUIRE) > 0)
        usleep(1000);
    return 0;
}
