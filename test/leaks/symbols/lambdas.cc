// Blocks are lost in functions that are local to others.
#include <cstdlib>

static void lose(size_t bytes) {
    volatile char *block = static_cast<char *>(malloc(bytes));
    block[0] = 1;
}

namespace zoo {
template <class F> __attribute__((noinline)) void call(F function) { function(); }
struct keeper {
    void feed() {
        call([] { lose(11); });
    }
};
} // namespace zoo

static auto outside = [] { lose(22); };

namespace {
struct hidden {
    __attribute__((noinline)) void work() { lose(33); }
};
} // namespace

int main() {
    struct local {
        __attribute__((noinline)) void run() { lose(44); }
    };
    zoo::keeper().feed();
    zoo::call([] { lose(55); });
    outside();
    hidden().work();
    local().run();
    return 0;
}
