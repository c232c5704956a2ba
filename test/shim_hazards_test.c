/* Where an unchanged program could stumble over the shim: loaders' locks, fork handlers, calls that
 * signals break under other names, limits, namespaces, merged maps. Run under tithe, with
 * HAZARDS_LIBRARY naming the library made of test/shim_hazards_library.c.
 */
#include "suite.h"

#include "tithe.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void require_whole_child(void) {
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(tithe_collect() ? 42 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

START_TEST(a_constructor_may_wait_for_a_thread) {
    void *library = dlopen(getenv("HAZARDS_LIBRARY"), RTLD_NOW);
    ck_assert_msg(library != NULL, "%s", dlerror());
    require_whole_child();
    dlclose(library);
    ck_assert_ptr_null(dlopen(getenv("HAZARDS_LIBRARY"), RTLD_NOW | RTLD_NOLOAD));
    require_whole_child();
}
END_TEST

/* What runs before any constructor may register handlers before the shim does. */
static volatile bool handlers_allocate;
static void *forked[64];
static void allocate_in_handler(void) {
    if (!handlers_allocate)
        return;
    for (size_t i = 0; i < sizeof forked / sizeof *forked; i++) {
        free(forked[i]);
        forked[i] = malloc(40000 + i * 64);
    }
}
static void register_handlers(void) {
    pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler);
}
__attribute__((section(".preinit_array"),
               used)) static void (*const before_all)(void) = register_handlers;

START_TEST(early_fork_handlers_may_allocate) {
    handlers_allocate = true;
    for (int i = 0; i < 3; i++)
        require_whole_child();
    handlers_allocate = false;
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_constructor_may_wait_for_a_thread,
        early_fork_handlers_may_allocate,
    };
    if (&tithe_collect == NULL) {
        fputs("shim_hazards_test: run this under tithe\n", stderr);
        return 1;
    }
    return SUITE_RUN("shim hazards", tests, 30);
}
