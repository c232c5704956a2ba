/* What the objects that the loader has loaded export, found without the loader.
 *
 * dlsym and dl_iterate_phdr take locks that a stopped thread may hold, and call malloc. The loader
 * keeps a list of what it has loaded for debuggers; this walks it, and reads the tables of names in
 * a way that survives an object's being unloaded meanwhile. Each object is looked at once. The
 * conductor calls, with memory open (os/memory.h).
 */
#ifndef TITHE_OS_EXPORTS_H
#define TITHE_OS_EXPORTS_H

#include <stdbool.h>
#include <stdint.h>

enum { EXPORTS_MOST = 64 };

/* Sets bit i of found if some object that was not there before exports names[i], of which there are
 * at most EXPORTS_MOST and always the same. Stopped tells that no thread of the program's runs:
 * then the list is whole, else some of it may be missed. */
void exports_find(const char *const names[], unsigned count, bool stopped, uint64_t *found);

#endif
