/* GC_dlopen, by itself: a static program that does not call it shall not need what dlopen does. */
#include "api/api.h"

#include <dlfcn.h>

/* A library's data are found when roots are planned, and again in the stop. */
void *GC_dlopen(const char *path, int flags) { return dlopen(path, flags); }
