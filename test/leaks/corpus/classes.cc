// C++: containers, smart pointers, arrays with a hidden count, pointers to second bases.
#include "corpus.h"

#include <cstdlib>
#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

template <class Type> Type *lose(Type *object) {
    CORPUS_USE(object);
    return object;
}

void object() { lose(new long[4]); }

void counted_array() { lose(new std::string[3]); }

void counted_array_alive() { corpus_kept[0] = new std::string[3]; }

void vector() { lose(new std::vector<long>(100)); }

void vector_of_vectors() {
    auto *outer = new std::vector<std::vector<int>>(10, std::vector<int>(5));
    lose(outer);
}

void text() { lose(new std::string(100, 'x')); }

void tree() {
    auto *map = new std::map<int, int>;
    for (int i = 0; i < 10; i++)
        (*map)[i] = i;
    lose(map);
}

void list_alive() {
    auto *list = new std::list<std::string>;
    for (int i = 0; i < 10; i++)
        list->push_back(std::string(50, 'y'));
    corpus_kept[0] = list;
}

struct Friend {
    std::shared_ptr<Friend> other;
    char contents[40];
};

void shared_ring() {
    auto one = std::make_shared<Friend>(), two = std::make_shared<Friend>();
    one->other = two;
    two->other = one;
}

void released() {
    auto owner = std::make_unique<Friend>();
    lose(owner.release());
}

void unique() { auto owner = std::make_unique<Friend>(); }

struct First {
    virtual ~First() = default;
    long first = 1;
};
struct Second {
    virtual ~Second() = default;
    long second = 2;
};
struct Both : First, Second {
    long third = 3;
};

void second_base_alive() { corpus_kept[0] = static_cast<Second *>(new Both); }
void second_base_lost() { lose(static_cast<Second *>(new Both)); }

struct Virtual : virtual First {
    long fourth = 4;
};

void virtual_base_alive() { corpus_kept[0] = static_cast<First *>(new Virtual); }

void thrown() {
    try {
        lose(new char[60]);
        throw std::runtime_error("thrown");
    } catch (const std::exception &) {
    }
}

void constructor_throws() {
    struct Throwing {
        char *contents = new char[61];
        Throwing() {
            lose(contents);
            throw 1;
        }
    };
    try {
        lose(new Throwing);
    } catch (int) {
    }
}

void closure() {
    char block[100] = {};
    auto *function = new std::function<int()>([block] { return block[0]; });
    lose(function);
}

void clean_stream() {
    std::ostringstream stream;
    stream << "text " << 1.5;
    std::cout << stream.str() << std::endl;
}

void clean_static() {
    static std::vector<std::string> kept(100, std::string(100, 'z'));
    kept.push_back("more");
}

void clean_thread() {
    std::thread thread([] { std::vector<int> numbers(1000); });
    thread.join();
}

struct alignas(128) Aligned {
    char contents[200];
};

void over_aligned() { lose(new Aligned); }

} // namespace

extern "C" const leak_case classes_cases[] = {
    {"object", 1, 32, object, 0},
    {"counted_array", 1, 8 + 3 * 32, counted_array, 0},
    {"counted_array_alive", 0, 0, counted_array_alive, 0},
    {"vector", 2, 24 + 800, vector, 0},
    {"vector_of_vectors", 12, 24 + 240 + 10 * 20, vector_of_vectors, 0},
    {"text", 2, 32 + 101, text, 0},
    {"map_tree", 11, 48 + 10 * 40, tree, 0},
    {"list_alive", 0, 0, list_alive, 0},
    {"shared_ring", 2, 2 * (16 + 16 + 40), shared_ring, 0},
    {"released", 1, 56, released, 0},
    {"unique", 0, 0, unique, 0},
    {"second_base_alive", 0, 0, second_base_alive, 0},
    {"second_base_lost", 1, 40, second_base_lost, 0},
    {"virtual_base_alive", 0, 0, virtual_base_alive, 0},
    {"thrown", 1, 60, thrown, 0},
    {"constructor_throws", 1, 61, constructor_throws, 0},
    {"closure", 2, 32 + 100, closure, 0},
    {"clean_stream", 0, 0, clean_stream, 0},
    {"clean_static", 0, 0, clean_static, 0},
    {"clean_thread", 0, 0, clean_thread, 0},
    {"over_aligned", 1, 256, over_aligned, 0},
    {nullptr, 0, 0, nullptr, 0},
};
