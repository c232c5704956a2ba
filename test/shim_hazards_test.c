/* Where an unchanged program could stumble over the shim: loaders' locks, fork handlers, calls that
 * signals break under other names, limits, namespaces, merged maps. Run under tithe, with
 * HAZARDS_LIBRARY naming the library made of test/shim_hazards_library.c.
 */
#include "suite.h"

#include "tithe.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

START_TEST(a_constructor_may_wait_for_a_thread) {
    void *library = dlopen(getenv("HAZARDS_LIBRARY"), RTLD_NOW);
    ck_assert_msg(library != NULL, "%s", dlerror());
    dlclose(library);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_constructor_may_wait_for_a_thread,
    };
    if (&tithe_collect == NULL) {
        fputs("shim_hazards_test: run this under tithe\n", stderr);
        return 1;
    }
    return SUITE_RUN("shim hazards", tests, 30);
}
