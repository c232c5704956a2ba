/* dlsym(RTLD_NEXT), remembered; see real.h. */
#include "real.h"

#include "os/log.h"

#include <dlfcn.h>
#include <stddef.h>

/* The linker's names for the bounds of the section. */
extern struct real __start_tithe_real[] __attribute__((visibility("hidden")));
extern struct real __stop_tithe_real[] __attribute__((visibility("hidden")));

/* A failed search leaves a message that would be told to the program; asking for it drops it. */
void real_find_all(void) {
    for (struct real *real = __start_tithe_real; real < __stop_tithe_real; real++)
        real->found = dlsym(RTLD_NEXT, real->name);
    dlerror();
}

void *real_find(struct real *real) {
    void *found = real->found;
    if (found)
        return found;
    found = dlsym(RTLD_NEXT, real->name);
    if (found == NULL)
        log_fatal("no definition of %s behind the shim", real->name);
    real->found = found;
    return found;
}
