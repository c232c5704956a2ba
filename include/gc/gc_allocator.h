/* gc_allocator.h: allocators for the containers of the C++ library.
 *
 *   gc_allocator<T>                  collected memory; not scanned if T is known to hold no
 * pointers gc_allocator_ignore_off_page<T>  the same, for containers that keep a pointer to the
 * start of large blocks (GC_malloc_ignore_off_page) traceable_allocator<T>           scanned and
 * uncollectable: for containers outside the heap that refer to collected objects
 *
 * A type without pointers is made known by GC_DECLARE_PTRFREE(type), at global scope and before it
 * is used. Any two allocators of a template are equal. Where memory is wanting they throw
 * std::bad_alloc, or abort if GC_NEW_ABORTS_ON_OOM is defined or there are no exceptions.
 */
#ifndef GC_ALLOCATOR_H
#define GC_ALLOCATOR_H

#include "gc.h"

#include <new>

#if defined(GC_NEW_ABORTS_ON_OOM) || !defined(__EXCEPTIONS)
#define GC_ALLOCATOR_THROW_OR_ABORT() GC_abort_on_oom()
#else
#define GC_ALLOCATOR_THROW_OR_ABORT() throw std::bad_alloc()
#endif

struct GC_true_type {};
struct GC_false_type {};

/* The type of the member says whether objects of type GC_tp hold no pointers. */
template <class GC_tp> struct GC_type_traits { GC_false_type GC_is_ptr_free; };

#define GC_DECLARE_PTRFREE(T)                                                                      \
    template <> struct GC_type_traits<T> { GC_true_type GC_is_ptr_free; }

GC_DECLARE_PTRFREE(char);
GC_DECLARE_PTRFREE(signed char);
GC_DECLARE_PTRFREE(unsigned char);
GC_DECLARE_PTRFREE(signed short);
GC_DECLARE_PTRFREE(unsigned short);
GC_DECLARE_PTRFREE(signed int);
GC_DECLARE_PTRFREE(unsigned int);
GC_DECLARE_PTRFREE(signed long);
GC_DECLARE_PTRFREE(unsigned long);
GC_DECLARE_PTRFREE(float);
GC_DECLARE_PTRFREE(double);
GC_DECLARE_PTRFREE(long double);

/* n bytes, scanned; or not, if the second argument is a GC_true_type. */
template <class GC_Tp> inline void *GC_selective_alloc(size_t n, GC_Tp, bool ignore_off_page) {
    void *const obj = ignore_off_page ? GC_MALLOC_IGNORE_OFF_PAGE(n) : GC_MALLOC(n);

    if (!obj)
        GC_ALLOCATOR_THROW_OR_ABORT();
    return obj;
}

template <>
inline void *GC_selective_alloc<GC_true_type>(size_t n, GC_true_type, bool ignore_off_page) {
    void *const obj = ignore_off_page ? GC_MALLOC_ATOMIC_IGNORE_OFF_PAGE(n) : GC_MALLOC_ATOMIC(n);

    if (!obj)
        GC_ALLOCATOR_THROW_OR_ABORT();
    return obj;
}

/* What the three have in common. */
template <class GC_Tp> class GC_allocator_base {
  public:
    typedef size_t size_type;
    typedef ptrdiff_t difference_type;
    typedef GC_Tp *pointer;
    typedef const GC_Tp *const_pointer;
    typedef GC_Tp &reference;
    typedef const GC_Tp &const_reference;
    typedef GC_Tp value_type;

    pointer address(reference GC_x) const { return &GC_x; }
    const_pointer address(const_reference GC_x) const { return &GC_x; }
    size_type max_size() const GC_NOEXCEPT { return size_t(-1) / sizeof(GC_Tp); }

#if __cplusplus >= 201103L
    template <class GC_Tp1, class... GC_Args> void construct(GC_Tp1 *GC_p, GC_Args &&...GC_args) {
        ::new (static_cast<void *>(GC_p)) GC_Tp1(static_cast<GC_Args &&>(GC_args)...);
    }
    template <class GC_Tp1> void destroy(GC_Tp1 *GC_p) { GC_p->~GC_Tp1(); }
#else
    void construct(pointer GC_p, const GC_Tp &GC_value) {
        ::new (static_cast<void *>(GC_p)) GC_Tp(GC_value);
    }
    void destroy(pointer GC_p) { GC_p->~GC_Tp(); }
#endif

    void deallocate(pointer GC_p, size_type) GC_NOEXCEPT { GC_FREE(GC_p); }

  protected:
    /* The bytes of so many elements, if these can be counted at all. */
    static size_t GC_bytes(size_type GC_n) {
        if (GC_n > size_t(-1) / sizeof(GC_Tp))
            GC_ALLOCATOR_THROW_OR_ABORT();
        return GC_n * sizeof(GC_Tp);
    }
};

/* No objects, only their type. */
template <> class GC_allocator_base<void> {
  public:
    typedef size_t size_type;
    typedef ptrdiff_t difference_type;
    typedef void *pointer;
    typedef const void *const_pointer;
    typedef void value_type;
};

template <class GC_Tp> class gc_allocator : public GC_allocator_base<GC_Tp> {
  public:
    template <class GC_Tp1> struct rebind { typedef gc_allocator<GC_Tp1> other; };

    gc_allocator() GC_NOEXCEPT {}
    gc_allocator(const gc_allocator &) GC_NOEXCEPT : GC_allocator_base<GC_Tp>() {}
    template <class GC_Tp1>
    GC_ATTR_EXPLICIT gc_allocator(const gc_allocator<GC_Tp1> &) GC_NOEXCEPT {}
    gc_allocator &operator=(const gc_allocator &) GC_NOEXCEPT { return *this; }
    ~gc_allocator() GC_NOEXCEPT {}

    GC_Tp *allocate(size_t GC_n, const void * = 0) {
        GC_type_traits<GC_Tp> traits;

        return static_cast<GC_Tp *>(
            GC_selective_alloc(this->GC_bytes(GC_n), traits.GC_is_ptr_free, false));
    }
};

template <> class gc_allocator<void> : public GC_allocator_base<void> {
  public:
    template <class GC_Tp1> struct rebind { typedef gc_allocator<GC_Tp1> other; };
};

template <class GC_T1, class GC_T2>
GC_CONSTEXPR inline bool operator==(const gc_allocator<GC_T1> &,
                                    const gc_allocator<GC_T2> &) GC_NOEXCEPT {
    return true;
}

template <class GC_T1, class GC_T2>
GC_CONSTEXPR inline bool operator!=(const gc_allocator<GC_T1> &,
                                    const gc_allocator<GC_T2> &) GC_NOEXCEPT {
    return false;
}

template <class GC_Tp> class gc_allocator_ignore_off_page : public GC_allocator_base<GC_Tp> {
  public:
    template <class GC_Tp1> struct rebind { typedef gc_allocator_ignore_off_page<GC_Tp1> other; };

    gc_allocator_ignore_off_page() GC_NOEXCEPT {}
    gc_allocator_ignore_off_page(const gc_allocator_ignore_off_page &) GC_NOEXCEPT
        : GC_allocator_base<GC_Tp>() {}
    template <class GC_Tp1>
    GC_ATTR_EXPLICIT
    gc_allocator_ignore_off_page(const gc_allocator_ignore_off_page<GC_Tp1> &) GC_NOEXCEPT {}
    gc_allocator_ignore_off_page &operator=(const gc_allocator_ignore_off_page &) GC_NOEXCEPT {
        return *this;
    }
    ~gc_allocator_ignore_off_page() GC_NOEXCEPT {}

    GC_Tp *allocate(size_t GC_n, const void * = 0) {
        GC_type_traits<GC_Tp> traits;

        return static_cast<GC_Tp *>(
            GC_selective_alloc(this->GC_bytes(GC_n), traits.GC_is_ptr_free, true));
    }
};

template <> class gc_allocator_ignore_off_page<void> : public GC_allocator_base<void> {
  public:
    template <class GC_Tp1> struct rebind { typedef gc_allocator_ignore_off_page<GC_Tp1> other; };
};

template <class GC_T1, class GC_T2>
GC_CONSTEXPR inline bool operator==(const gc_allocator_ignore_off_page<GC_T1> &,
                                    const gc_allocator_ignore_off_page<GC_T2> &) GC_NOEXCEPT {
    return true;
}

template <class GC_T1, class GC_T2>
GC_CONSTEXPR inline bool operator!=(const gc_allocator_ignore_off_page<GC_T1> &,
                                    const gc_allocator_ignore_off_page<GC_T2> &) GC_NOEXCEPT {
    return false;
}

template <class GC_Tp> class traceable_allocator : public GC_allocator_base<GC_Tp> {
  public:
    template <class GC_Tp1> struct rebind { typedef traceable_allocator<GC_Tp1> other; };

    traceable_allocator() GC_NOEXCEPT {}
    traceable_allocator(const traceable_allocator &) GC_NOEXCEPT : GC_allocator_base<GC_Tp>() {}
    template <class GC_Tp1>
    GC_ATTR_EXPLICIT traceable_allocator(const traceable_allocator<GC_Tp1> &) GC_NOEXCEPT {}
    traceable_allocator &operator=(const traceable_allocator &) GC_NOEXCEPT { return *this; }
    ~traceable_allocator() GC_NOEXCEPT {}

    GC_Tp *allocate(size_t GC_n, const void * = 0) {
        void *const obj = GC_MALLOC_UNCOLLECTABLE(this->GC_bytes(GC_n));

        if (!obj)
            GC_ALLOCATOR_THROW_OR_ABORT();
        return static_cast<GC_Tp *>(obj);
    }
};

template <> class traceable_allocator<void> : public GC_allocator_base<void> {
  public:
    template <class GC_Tp1> struct rebind { typedef traceable_allocator<GC_Tp1> other; };
};

template <class GC_T1, class GC_T2>
GC_CONSTEXPR inline bool operator==(const traceable_allocator<GC_T1> &,
                                    const traceable_allocator<GC_T2> &) GC_NOEXCEPT {
    return true;
}

template <class GC_T1, class GC_T2>
GC_CONSTEXPR inline bool operator!=(const traceable_allocator<GC_T1> &,
                                    const traceable_allocator<GC_T2> &) GC_NOEXCEPT {
    return false;
}

#endif
