/* dlsym(RTLD_NEXT), remembered; see real.h. */
#include "real.h"

#include "os/log.h"

#include <dlfcn.h>
#include <stddef.h>

void *real_find(void *volatile *cache, const char *name) {
    void *found = *cache;
    if (found)
        return found;
    found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        log_fatal("no definition of %s behind the shim", name);
    *cache = found;
    return found;
}
