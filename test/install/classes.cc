#include <cstdio>
#include <gc_cpp.h>

struct Node : public gc {
    Node *next;
    explicit Node(Node *n) : next(n) {}
};

int main() {
    GC_INIT();
    Node *list = nullptr;
    for (int i = 0; i < 100000; i++)
        list = new Node(i % 100 ? list : nullptr);
    int *numbers = new (GC) int[10];
    int *plain = new int[10];
    std::printf("%d %d\n", GC_base(numbers) == numbers, GC_base(plain) == plain);
    int count = 0;
    for (; list; list = list->next)
        count++;
    std::printf("%d\n", count);
}
