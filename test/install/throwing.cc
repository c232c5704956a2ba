#include <cstdio>
#include <gc/gc_allocator.h>
#include <new>
#include <vector>

void GC_throw_bad_alloc();

int main() {
    GC_INIT();
    std::vector<int, gc_allocator<int>> numbers(1000, 7);
    try {
        GC_throw_bad_alloc();
    } catch (const std::bad_alloc &) {
        std::printf("caught %d\n", numbers[999]);
    }
}
