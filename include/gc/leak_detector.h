/* leak_detector.h: makes a program of malloc and free one that reports what it loses. Included by
 * every source, by -include for instance, with GC_set_find_leak(1) called at the start:
 * CHECK_LEAKS() then reports the lost objects allocated so far, with the place of their allocation.
 *
 * Every source must include it that hands memory to another. GC_DONT_INCLUDE_STDLIB leaves the
 * standard headers to the program, which must include them before.
 */
#ifndef GC_LEAK_DETECTOR_H
#define GC_LEAK_DETECTOR_H

#ifndef GC_DEBUG
#define GC_DEBUG
#endif
#include "gc.h"

/* Before the names become macros. */
#ifndef GC_DONT_INCLUDE_STDLIB
#include <stdlib.h>
#include <string.h>
#ifdef GC_REQUIRE_WCSDUP
#include <wchar.h>
#endif
#endif

#undef malloc
#define malloc(n) GC_MALLOC(n)
#undef calloc
#define calloc(m, n) GC_MALLOC((m) * (n))
#undef realloc
#define realloc(p, n) GC_REALLOC(p, n)
#undef free
#define free(p) GC_FREE(p)
#undef memalign
#define memalign(a, n) GC_memalign(a, n)
#undef posix_memalign
#define posix_memalign(p, a, n) GC_posix_memalign(p, a, n)
#undef malloc_usable_size
#define malloc_usable_size(p) GC_size(p)
#undef strdup
#define strdup(s) GC_STRDUP(s)
#undef strndup
#define strndup(s, n) GC_STRNDUP(s, n)
#ifdef GC_REQUIRE_WCSDUP
#undef wcsdup
#define wcsdup(s) GC_WCSDUP(s)
#endif

#ifndef CHECK_LEAKS
#define CHECK_LEAKS() GC_gcollect()
#endif

#endif
