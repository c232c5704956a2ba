// new.cc: the operators new and delete of a program linked to libgccpp. What they make is scanned
// and uncollectable: it lives until it is deleted, and keeps alive whatever collected objects it
// refers to. The forms with nothrow are the C++ library's, which call these; over-aligned objects
// stay with malloc.
#include <gc/gc_cpp.h>

#include <new>

#define EXPORT __attribute__((__visibility__("default")))

EXPORT void *operator new(size_t size) {
    void *const obj = GC_malloc_uncollectable(size);

    GC_OP_NEW_OOM_CHECK(obj);
    return obj;
}

EXPORT void *operator new[](size_t size) { return operator new(size); }

EXPORT void operator delete(void *obj) GC_NOEXCEPT { GC_free(obj); }

EXPORT void operator delete[](void *obj) GC_NOEXCEPT { GC_free(obj); }

EXPORT void operator delete(void *obj, size_t) GC_NOEXCEPT { GC_free(obj); }

EXPORT void operator delete[](void *obj, size_t) GC_NOEXCEPT { GC_free(obj); }
