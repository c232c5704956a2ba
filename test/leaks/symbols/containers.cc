// What is lost was asked for by a container, on behalf of a function of the program's.
#include <map>
#include <string>
#include <vector>

using table = std::map<std::string, std::vector<std::string>>;

__attribute__((noinline)) static table *make_table() {
    return new table;
}

__attribute__((noinline)) static void fill(table &any) {
    any["a key that is too long to lie in the string itself"].push_back(std::string(100, 'x'));
}

__attribute__((noinline)) static void forget() {
    table *volatile any = make_table();
    fill(*any);
    any = nullptr;
}

int main() {
    forget();
    return 0;
}
