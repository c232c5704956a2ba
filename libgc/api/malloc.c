/* Allocation and freeing as gc.h has it: kinds with a name of their own. */
#include "api/api.h"

#include "alloc/alloc.h"
#include "cycle/cycle.h"
#include "heap/large.h"
#include "heap/quarantine.h"
#include "heap/shape.h"
#include "os/vm.h"

#include <errno.h>
#include <string.h>

enum { KIND_ATOMIC, KIND_NORMAL, KIND_HELD, KIND_ATOMIC_HELD };

__attribute__((noinline)) static void *malloc_slow(size_t bytes) {
    return GC_generic_malloc(bytes, KIND_NORMAL);
}

void *GC_malloc(size_t bytes) {
    if (__builtin_expect(bytes < SIZES_LARGEST_SMALL && api_stands_alone, 1)) {
        unsigned size_class = sizes_class(bytes + api_end_byte);
        unsigned span_class = sizes_span_class_of(size_class, OBJECT_SCANNED);
        void *object = cache_pop(&thread_self->cache.bins[span_class]);
        if (__builtin_expect(object != NULL, 1))
            return alloc_clear(object, sizes_bytes(size_class));
    }
    return malloc_slow(bytes);
}

__attribute__((noinline)) static void *malloc_atomic_slow(size_t bytes) {
    return GC_generic_malloc(bytes, KIND_ATOMIC);
}

void *GC_malloc_atomic(size_t bytes) {
    if (__builtin_expect(bytes < SIZES_LARGEST_SMALL && api_stands_alone, 1)) {
        unsigned span_class = sizes_span_class(bytes + api_end_byte, OBJECT_ATOMIC);
        void *object = cache_pop(&thread_self->cache.bins[span_class]);
        if (__builtin_expect(object != NULL, 1))
            return object;
    }
    return malloc_atomic_slow(bytes);
}

void *GC_malloc_stubborn(size_t bytes) { return GC_malloc(bytes); }

/* Every address in an object keeps it, so these promises spare nothing here. */
void *GC_malloc_ignore_off_page(size_t bytes) { return GC_malloc(bytes); }
void *GC_malloc_atomic_ignore_off_page(size_t bytes) { return GC_malloc_atomic(bytes); }

static void *memalign_cleared(size_t alignment, size_t bytes) {
    struct object object;
    enum object_kind kind = api_stands_alone ? OBJECT_SCANNED : OBJECT_SHAPED;
    size_t whole = api_with_end(bytes);
    void *aligned = api_before_allocation(whole) ? alloc_aligned(alignment, whole, kind) : NULL;
    if (aligned && object_find((uintptr_t)aligned, &object)) {
        memset(aligned, 0, object.span->object_bytes);
        if (!api_stands_alone)
            kinds_name(object, KIND_NORMAL);
    }
    return api_allocated(aligned, bytes);
}

void *GC_memalign(size_t alignment, size_t bytes) {
    if (alignment <= SIZES_GRANULE)
        return GC_malloc(bytes);
    if (alignment & (alignment - 1)) {
        errno = EINVAL;
        return NULL;
    }
    return memalign_cleared(alignment, bytes);
}

int GC_posix_memalign(void **object, size_t alignment, size_t bytes) {
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)))
        return EINVAL;
    void *aligned = GC_memalign(alignment, bytes);
    if (aligned == NULL)
        return ENOMEM;
    *object = aligned;
    return 0;
}

void *GC_valloc(size_t bytes) { return GC_memalign(vm_page_bytes(), bytes); }

void *GC_pvalloc(size_t bytes) {
    size_t page = vm_page_bytes();
    if (bytes > SIZE_MAX - page)
        return api_out_of_memory(bytes);
    return GC_memalign(page, (bytes + page - 1) & ~(page - 1));
}

static char *copy_text(const char *text, size_t length) {
    char *copy = GC_malloc_atomic(length + 1);
    if (copy == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

char *GC_strdup(const char *text) { return text ? copy_text(text, strlen(text)) : NULL; }

char *GC_strndup(const char *text, size_t most) { return copy_text(text, strnlen(text, most)); }

/* A mark procedure may be shown what a thread has in its cache, and must not take it for what it
 * was: the program may have freed more than this. */
static void clear_shaped(void *address) {
    struct object object;
    if (api_find(address, &object) && object_address(object) == (uintptr_t)address &&
        object.span->kind >= OBJECT_SHAPED && !span_is_large(object.span) && !quarantine_is_on())
        memset(address, 0, object.span->object_bytes);
}

void GC_free(void *object) {
    if (object == NULL)
        return;
    if (!heap_contains((uintptr_t)object))
        api_abort("GC_free of memory that is not ours");
    unsigned span_class = heap.page_classes[heap_page_of((uintptr_t)object)];
    unsigned size_class = sizes_size_class(span_class);
    statistics_freed(size_class ? sizes_bytes(size_class) : alloc_usable_bytes(object));
    if (size_class == 0)
        clear_shaped(object);
    free_fast(object);
}

/* Compilers leave out the clearing of what is freed at once. */
void GC_freezero(void *object, size_t bytes) {
    if (object == NULL)
        return;
    size_t usable = alloc_usable_bytes(object);
    memset(object, 0, bytes < usable ? bytes : usable);
    __asm__ volatile("" : : "r"(object) : "memory");
    GC_free(object);
}

/* The new tail of an object that may hold pointers is zero. */
static void clear_tail(struct object object, size_t from) {
    char *start = (char *)object_address(object);
    if (object.span->kind == OBJECT_ATOMIC || from >= object.span->object_bytes)
        return;
    size_t whole = (from + HEAP_PAGE_BYTES - 1) & ~(size_t)(HEAP_PAGE_BYTES - 1);
    if (!span_is_large(object.span) || whole >= object.span->object_bytes)
        whole = object.span->object_bytes;
    memset(start + from, 0, whole - from);
    large_clear(start + whole, object.span->object_bytes - whole);
}

static void *resize_shaped(void *old, struct object object, size_t bytes) {
    size_t had = object.span->object_bytes;
    unsigned kind = kinds_of(object);
    size_t whole = kind == KIND_HELD || kind == KIND_ATOMIC_HELD ? bytes : api_with_end(bytes);
    if (whole <= had && bytes >= had / 2)
        return old;
    void *copy = kinds_allocate(whole, kind);
    if (copy == NULL)
        return NULL;
    memcpy(copy, old, had < bytes ? had : bytes);
    GC_free(old);
    return copy;
}

void *GC_realloc(void *old, size_t bytes) {
    struct object object;
    if (old == NULL)
        return GC_malloc(bytes);
    if (bytes == 0) {
        GC_free(old);
        return NULL;
    }
    if (!api_find(old, &object) || object_address(object) != (uintptr_t)old)
        api_abort("GC_realloc of memory that is not an object of ours");
    size_t had = object.span->object_bytes;
    if (bytes > had && !api_before_allocation(bytes - had))
        return api_allocated(NULL, bytes);
    void *resized = object.span->kind >= OBJECT_SHAPED ? resize_shaped(old, object, bytes)
                                                       : alloc_resize(old, api_with_end(bytes));
    if (resized && resized != old && object.span->kind < OBJECT_SHAPED)
        statistics_freed(had);
    if (resized && api_find(resized, &object))
        clear_tail(object, resized == old && bytes <= had ? bytes : had < bytes ? had : bytes);
    return api_allocated(resized, bytes);
}

void *GC_reallocf(void *old, size_t bytes) {
    void *resized = GC_realloc(old, bytes);
    if (resized == NULL && bytes > 0)
        GC_free(old);
    return resized;
}
