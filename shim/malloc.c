/* The malloc family, with glibc's semantics, in front of the heap.
 *
 * The whole family and nothing more: a program whose free meets a block of another allocator, or
 * the other way round, is broken, and so is one that has an allocator of its own and gets our
 * strdup. Works from the first instruction of the process to the last. errno changes only on
 * failure.
 */
#include "leak/record.h"
#include "real.h"

#include "alloc/alloc.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static void *or_no_memory(void *object) {
    if (__builtin_expect(object == NULL, 0))
        errno = ENOMEM;
    return object;
}

TITHE_EXPORT void *malloc(size_t bytes) {
    if (record_may_be_on())
        return or_no_memory(record_malloc(bytes));
    return or_no_memory(alloc_fast(alloc_with_end(bytes)));
}

TITHE_EXPORT void free(void *object) {
    if (record_may_be_on())
        record_free(object);
    else
        free_fast(object);
}

TITHE_EXPORT void *calloc(size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        return or_no_memory(NULL);
    if (record_may_be_on())
        return or_no_memory(record_calloc(total));
    return or_no_memory(alloc_cleared(alloc_with_end(total), OBJECT_SCANNED));
}

TITHE_EXPORT void *realloc(void *object, size_t bytes) {
    if (object == NULL)
        return malloc(bytes);
    if (bytes == 0) {
        free(object);
        return NULL;
    }
    if (record_may_be_on())
        return or_no_memory(record_realloc(object, bytes));
    return or_no_memory(alloc_resize(object, alloc_with_end(bytes)));
}

TITHE_EXPORT void *reallocarray(void *object, size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        return or_no_memory(NULL);
    return realloc(object, total);
}

TITHE_EXPORT void cfree(void *object);
TITHE_EXPORT void cfree(void *object) { free(object); }

static void *aligned(size_t alignment, size_t bytes) {
    if (record_may_be_on())
        return record_aligned(alignment, bytes);
    return alloc_aligned(alignment, alloc_with_end(bytes), OBJECT_SCANNED);
}

/* glibc rounds an alignment that is no power of two up to one. */
static size_t power_of_two(size_t alignment) {
    if (alignment <= SIZES_GRANULE)
        return SIZES_GRANULE;
    return (size_t)1 << (64 - __builtin_clzl(alignment - 1));
}

TITHE_EXPORT void *memalign(size_t alignment, size_t bytes) {
    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    return or_no_memory(aligned(power_of_two(alignment), bytes));
}

TITHE_EXPORT void *aligned_alloc(size_t alignment, size_t bytes) {
    return memalign(alignment, bytes);
}

TITHE_EXPORT int posix_memalign(void **object, size_t alignment, size_t bytes) {
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    void *found = aligned(power_of_two(alignment), bytes);
    if (found == NULL)
        return ENOMEM;
    *object = found;
    return 0;
}

TITHE_EXPORT void *valloc(size_t bytes) { return memalign(vm_page_bytes(), bytes); }

TITHE_EXPORT void *pvalloc(size_t bytes) {
    size_t page = vm_page_bytes(), rounded;
    if (__builtin_add_overflow(bytes, page - 1, &rounded))
        return or_no_memory(NULL);
    rounded &= ~(page - 1);
    return memalign(page, rounded ? rounded : page);
}

TITHE_EXPORT size_t malloc_usable_size(void *object) {
    if (record_may_be_on())
        record_asked(object);
    return alloc_usable_bytes(object);
}

/* glibc's own names for the same, which some programs call. */
ALIAS(__libc_malloc, malloc);
ALIAS(__libc_calloc, calloc);
ALIAS(__libc_realloc, realloc);
ALIAS(__libc_free, free);
ALIAS(__libc_memalign, memalign);
ALIAS(__libc_valloc, valloc);
ALIAS(__libc_pvalloc, pvalloc);
ALIAS(__posix_memalign, posix_memalign);
