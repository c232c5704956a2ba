/* gc_cpp.h: collected objects in C++.
 *
 *     class A : public gc {...};          new A is collected; its destructor does not run
 *     class B : public gc_cleanup {...};  new B is collected, and destroyed first
 *     new (UseGC) T, new (PointerFreeGC) T[n], new (NoGC) T       for other classes and arrays
 *     new (UseGC, cleanup, data) T        with a finalizer as of GC_register_finalizer_ignore_self
 *
 * What new without a placement makes of other classes is not scanned unless the program is linked
 * to libgccpp, whose operators make all of it scanned and uncollectable. delete frees at once, as
 * ever. Members and bases of collected objects are collected with them, but only a gc_cleanup at
 * hand is destroyed.
 *
 * Where memory is wanting, std::bad_alloc is thrown by GC_throw_bad_alloc of libgccpp or libgctba.
 * A program defines before
 *   GC_INCLUDE_NEW            to throw it itself and link to neither,
 *   GC_NEW_ABORTS_ON_OOM      to abort instead,
 *   GC_NAMESPACE              to have all this in the namespace boehmgc,
 *   GC_NAME_CONFLICT          to have no enumerator called GC,
 *   GC_ATOMIC_UNCOLLECTABLE   for the placement PointerFreeNoGC,
 *   GC_NO_FINALIZATION        to make gc_cleanup the same as gc,
 *   GC_NO_OPERATOR_NEW_ARRAY  to leave out operators new[] and delete[].
 */
#ifndef GC_CPP_H
#define GC_CPP_H

#include "gc.h"

#ifndef __cplusplus
#error "gc_cpp.h is for C++"
#endif

#ifdef GC_INCLUDE_NEW
#include <new>
#endif

#ifdef GC_NAMESPACE
#define GC_NS_QUALIFY(T) boehmgc::T
#else
#define GC_NS_QUALIFY(T) T
#endif

#define GC_cdecl GC_CALLBACK

#ifndef GC_PLACEMENT_DELETE
#define GC_PLACEMENT_DELETE
#endif
#if !defined(GC_NO_OPERATOR_NEW_ARRAY) && !defined(GC_OPERATOR_NEW_ARRAY)
#define GC_OPERATOR_NEW_ARRAY
#endif

#if defined(GC_NEW_ABORTS_ON_OOM) || defined(_LIBCPP_NO_EXCEPTIONS)
#define GC_OP_NEW_OOM_CHECK(obj)                                                                   \
    do {                                                                                           \
        if (!(obj))                                                                                \
            GC_abort_on_oom();                                                                     \
    } while (0)
#elif defined(GC_INCLUDE_NEW)
#define GC_OP_NEW_OOM_CHECK(obj)                                                                   \
    if (obj) {                                                                                     \
    } else                                                                                         \
        throw std::bad_alloc()
#else
/* Throws std::bad_alloc, in a library's place: this header may be included without <new>. */
GC_API void GC_CALL GC_throw_bad_alloc();
#define GC_OP_NEW_OOM_CHECK(obj)                                                                   \
    if (obj) {                                                                                     \
    } else                                                                                         \
        GC_throw_bad_alloc()
#endif

/* What a replaced operator new says of exceptions: nothing, with the compilers we know. */
#ifndef GC_DECL_NEW_THROW
#define GC_DECL_NEW_THROW
#endif

#ifdef GC_NAMESPACE
namespace boehmgc {
#endif

enum GCPlacement {
    UseGC, /* collected and scanned */
#ifndef GC_NAME_CONFLICT
    GC = UseGC,
#endif
    NoGC,         /* scanned and uncollectable */
    PointerFreeGC /* collected and not scanned */
#ifdef GC_ATOMIC_UNCOLLECTABLE
    ,
    PointerFreeNoGC /* neither */
#endif
};

/* Objects of classes derived from it are collected. Adds no data. */
class gc {
  public:
    inline void *operator new(size_t size);
    inline void *operator new(size_t size, GCPlacement placement);
    inline void *operator new(size_t size, void *place) GC_NOEXCEPT;
    inline void operator delete(void *obj) GC_NOEXCEPT;
    inline void operator delete(void *obj, GCPlacement) GC_NOEXCEPT;
    inline void operator delete(void *, void *) GC_NOEXCEPT;
#ifdef GC_OPERATOR_NEW_ARRAY
    inline void *operator new[](size_t size);
    inline void *operator new[](size_t size, GCPlacement placement);
    inline void *operator new[](size_t size, void *place) GC_NOEXCEPT;
    inline void operator delete[](void *obj) GC_NOEXCEPT;
    inline void operator delete[](void *obj, GCPlacement) GC_NOEXCEPT;
    inline void operator delete[](void *, void *) GC_NOEXCEPT;
#endif
};

/* And also destroyed when they are found dead, once for each object however many bases it has.
 * Several such objects within one another are not all destroyed: the first to be constructed is. */
class gc_cleanup : virtual public gc {
  public:
    inline gc_cleanup();
    inline virtual ~gc_cleanup();

  private:
    inline static void GC_CALLBACK cleanup(void *obj, void *client_data);
};

extern "C" {
typedef void(GC_CALLBACK *GCCleanUpFunc)(void *obj, void *client_data);
}

#ifdef GC_NAMESPACE
}
#endif

/* For objects of any type. cleanup counts with UseGC only. */
inline void *operator new(size_t size, GC_NS_QUALIFY(GCPlacement) placement,
                          GC_NS_QUALIFY(GCCleanUpFunc) cleanup = 0, void *client_data = 0);
inline void operator delete(void *obj, GC_NS_QUALIFY(GCPlacement), GC_NS_QUALIFY(GCCleanUpFunc),
                            void *) GC_NOEXCEPT;
#ifdef GC_OPERATOR_NEW_ARRAY
inline void *operator new[](size_t size, GC_NS_QUALIFY(GCPlacement) placement,
                            GC_NS_QUALIFY(GCCleanUpFunc) cleanup = 0, void *client_data = 0);
inline void operator delete[](void *obj, GC_NS_QUALIFY(GCPlacement), GC_NS_QUALIFY(GCCleanUpFunc),
                              void *) GC_NOEXCEPT;
#endif

#ifdef GC_NAMESPACE
namespace boehmgc {
#endif

inline void *gc::operator new(size_t size) { return gc::operator new(size, UseGC); }

inline void *gc::operator new(size_t size, GCPlacement placement) {
    return ::operator new(size, placement);
}

inline void *gc::operator new(size_t, void *place) GC_NOEXCEPT { return place; }

inline void gc::operator delete(void *obj) GC_NOEXCEPT { GC_FREE(obj); }

inline void gc::operator delete(void *obj, GCPlacement) GC_NOEXCEPT { GC_FREE(obj); }

inline void gc::operator delete(void *, void *) GC_NOEXCEPT {}

#ifdef GC_OPERATOR_NEW_ARRAY
inline void *gc::operator new[](size_t size) { return gc::operator new(size, UseGC); }

inline void *gc::operator new[](size_t size, GCPlacement placement) {
    return gc::operator new(size, placement);
}

inline void *gc::operator new[](size_t, void *place) GC_NOEXCEPT { return place; }

inline void gc::operator delete[](void *obj) GC_NOEXCEPT { GC_FREE(obj); }

inline void gc::operator delete[](void *obj, GCPlacement) GC_NOEXCEPT { GC_FREE(obj); }

inline void gc::operator delete[](void *, void *) GC_NOEXCEPT {}
#endif

#ifdef GC_NO_FINALIZATION

inline gc_cleanup::gc_cleanup() {}

inline gc_cleanup::~gc_cleanup() {}

#else

/* An object within another, or with a finalizer of the program's own, leaves the finalizer that was
 * there first. Objects on a stack or in data have no base and get none. */
inline gc_cleanup::gc_cleanup() {
    void *const start = GC_base(this);
    GC_finalization_proc earlier = 0;
    void *earlier_data = 0;

    if (!start)
        return;
    GC_register_finalizer_ignore_self(start, cleanup, (void *)((GC_word)this - (GC_word)start),
                                      &earlier, &earlier_data);
    if (earlier)
        GC_register_finalizer_ignore_self(start, earlier, earlier_data, 0, 0);
}

inline gc_cleanup::~gc_cleanup() {
    void *const start = GC_base(this);

    if (start)
        GC_register_finalizer_ignore_self(start, 0, 0, 0, 0);
}

#endif

/* The data is how far into the object its gc_cleanup lies. */
inline void GC_CALLBACK gc_cleanup::cleanup(void *obj, void *client_data) {
    reinterpret_cast<gc_cleanup *>((char *)obj + (GC_word)client_data)->~gc_cleanup();
}

#ifdef GC_NAMESPACE
}
#endif

inline void *operator new(size_t size, GC_NS_QUALIFY(GCPlacement) placement,
                          GC_NS_QUALIFY(GCCleanUpFunc) cleanup, void *client_data) {
    void *obj = 0;

    switch (placement) {
    case GC_NS_QUALIFY(UseGC):
        obj = GC_MALLOC(size);
        if (cleanup && obj)
            GC_REGISTER_FINALIZER_IGNORE_SELF(obj, cleanup, client_data, 0, 0);
        break;
    case GC_NS_QUALIFY(PointerFreeGC):
        obj = GC_MALLOC_ATOMIC(size);
        break;
#ifdef GC_ATOMIC_UNCOLLECTABLE
    case GC_NS_QUALIFY(PointerFreeNoGC):
        obj = GC_MALLOC_ATOMIC_UNCOLLECTABLE(size);
        break;
#endif
    case GC_NS_QUALIFY(NoGC):
        obj = GC_MALLOC_UNCOLLECTABLE(size);
        break;
    }
    GC_OP_NEW_OOM_CHECK(obj);
    return obj;
}

inline void operator delete(void *obj, GC_NS_QUALIFY(GCPlacement), GC_NS_QUALIFY(GCCleanUpFunc),
                            void *) GC_NOEXCEPT {
    GC_FREE(obj);
}

#ifdef GC_OPERATOR_NEW_ARRAY
inline void *operator new[](size_t size, GC_NS_QUALIFY(GCPlacement) placement,
                            GC_NS_QUALIFY(GCCleanUpFunc) cleanup, void *client_data) {
    return ::operator new(size, placement, cleanup, client_data);
}

inline void operator delete[](void *obj, GC_NS_QUALIFY(GCPlacement), GC_NS_QUALIFY(GCCleanUpFunc),
                              void *) GC_NOEXCEPT {
    GC_FREE(obj);
}
#endif

#endif
