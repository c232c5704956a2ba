// classes.cc: what the C++ headers do, as lines to be compared like those of calls.c.
#include <gc/gc_allocator.h>
#include <gc_cpp.h>

#include <cstdio>
#include <list>
#include <map>
#include <new>
#include <vector>

#ifdef GC_NAMESPACE
using namespace boehmgc;
#endif

namespace {

struct Plain : public gc {
    char space[100];
};

int small, derived, outer, inner, cleaned, data_sum;

struct Clean : public gc_cleanup {
    int *count;
    explicit Clean(int *c) : count(c) {}
    ~Clean() { ++*count; }
};

// Its table of virtual functions is not that of gc_cleanup.
struct First {
    int space;
    virtual void one() {}
    virtual void two() {}
};

struct Second : First, gc_cleanup {
    ~Second() { derived++; }
};

// Two objects with finalizers in one block of memory.
struct Outer : gc_cleanup {
    Clean part;
    Outer() : part(&inner) {}
    ~Outer() { outer++; }
};

void GC_CALLBACK clean(void *, void *data) {
    cleaned++;
    data_sum += static_cast<int>(reinterpret_cast<size_t>(data));
}

__attribute__((__noinline__)) void lose() {
    for (int i = 0; i < 100; i++) {
        new Clean(&small);
        new (UseGC) Second;
        new Outer;
        new (UseGC, clean, reinterpret_cast<void *>(static_cast<size_t>(7))) int(3);
        new (UseGC, clean) int[5];
    }
}

// Conservative roots may keep a few.
const char *most(long count, long of) { return count > of / 2 && count <= of ? "most" : "not"; }

void *GC_CALLBACK nothing(size_t) { return 0; }

template <class Allocator> void refuse(size_t n) {
    try {
        Allocator().allocate(n);
        std::puts("got it");
    } catch (std::bad_alloc &) {
        std::puts("std::bad_alloc");
    }
}

template <class Allocator> void contain(const char *name) {
    typedef std::pair<const int, void *> Pair;
    typedef typename Allocator::template rebind<Pair>::other Pairs;
    std::vector<int, typename Allocator::template rebind<int>::other> numbers(3, 5);
    std::map<int, void *, std::less<int>, Pairs> map;
    std::list<void *, Allocator> list(10, &map);
    long sum = 0;

    for (int i = 0; i < 1000; i++) {
        numbers.push_back(i);
        map[i] = &map;
    }
    list.erase(list.begin());
    for (size_t i = 0; i < numbers.size(); i++)
        sum += numbers[i];
    std::printf("%s: %ld %u %u, %u\n", name, sum, unsigned(map.size()), unsigned(list.size()),
                unsigned(sizeof(Allocator)));
    std::printf("limits %d, equal %d %d\n", Pairs().max_size() == size_t(-1) / 16,
                Allocator() == Pairs(), Allocator() != Pairs());
}

typedef gc_allocator<void *> Collected;
typedef gc_allocator<char> Characters;
typedef gc_allocator_ignore_off_page<void *> StartKept;
typedef traceable_allocator<void *> Traced;

} // namespace

int main() {
    GC_INIT();
    std::printf("%d %d %d\n", UseGC, NoGC, PointerFreeGC);
    std::printf("sizes %u %u %u\n", unsigned(sizeof(Plain)), unsigned(sizeof(Clean)),
                unsigned(sizeof(Second)));

    Plain *plain = new Plain;
    std::printf("kind %d\n", GC_base(plain->space + 50) == GC_base(plain));
    delete plain;
    delete[] new (PointerFreeGC) Plain[3];
    Clean *kept = new (NoGC) Clean(&small);
    delete kept;
    std::printf("destroyed %d\n", small);
    {
        Clean on_stack(&small);
        char place[sizeof(Plain)];
        Plain *in_place = new (place) Plain;
        std::printf("in place %d\n", static_cast<void *>(in_place) == place);
    }
    std::printf("destroyed %d\n", small);
    small = 0;

    lose();
    for (int i = 0; i < 3; i++) {
        GC_gcollect();
        GC_invoke_finalizers();
    }
    std::printf("lost %s %s %s %s\n", most(small, 100), most(derived, 100), most(outer, 100),
                most(inner, 100));
    std::printf("cleaned %s\n", most(cleaned, 200));
    std::printf("data %s\n", most(data_sum, 700));

    contain<Collected>("gc_allocator");
    contain<StartKept>("gc_allocator_ignore_off_page");
    contain<Traced>("traceable_allocator");

    GC_set_warn_proc(GC_ignore_warn_proc);
    GC_set_oom_fn(nothing);
    refuse<Characters>(size_t(1) << 60);
    refuse<StartKept>(size_t(1) << 57);
    refuse<Traced>(size_t(1) << 57);
    try {
        ::operator new(size_t(1) << 60, UseGC);
    } catch (std::bad_alloc &) {
        std::puts("std::bad_alloc");
    }
    return 0;
}
