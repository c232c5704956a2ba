/* gc_version.h: the release of bdwgc whose interface these headers are. GC_get_version says the
 * same of the library a program runs with. */
#ifndef GC_VERSION_H
#define GC_VERSION_H

#define GC_VERSION_MAJOR 8
#define GC_VERSION_MINOR 2
#define GC_VERSION_MICRO 12

#endif
