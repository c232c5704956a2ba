/* The source of the g++ case: heavy on templates for the compiler, and on the standard library's allocations,
 * exceptions, coroutines and threads for the program itself. Each line it prints is exact on every machine.
 */
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <coroutine>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace {

/* Park and Miller's generator; the library's distributions differ between versions. */
class Numbers {
  public:
    explicit Numbers(std::uint64_t seed) : state(seed) {}
    std::uint64_t operator()() { return state = state * 16807 % 2147483647; }

  private:
    std::uint64_t state;
};

struct Sum {
    std::uint64_t value = 14695981039346656037u;
    Sum &operator<<(std::uint64_t number) {
        value = (value ^ number) * 1099511628211u;
        return *this;
    }
    Sum &operator<<(const std::string &text) {
        for (unsigned char letter : text)
            *this << letter;
        return *this;
    }
};

/* Lists of types, computed by the compiler. */
template <typename... Types> struct List {
    static constexpr std::size_t size = sizeof...(Types);
};
template <typename Left, typename Right> struct Joined;
template <typename... Left, typename... Right> struct Joined<List<Left...>, List<Right...>> {
    using type = List<Left..., Right...>;
};
template <std::size_t Number> struct Tag {
    static constexpr std::size_t number = Number;
};
template <std::size_t First, std::size_t Count> struct Tags {
    using type = typename Joined<typename Tags<First, Count / 2>::type,
                                 typename Tags<First + Count / 2, Count - Count / 2>::type>::type;
};
template <std::size_t First> struct Tags<First, 1> {
    using type = List<Tag<First>>;
};
template <typename... Types> std::uint64_t visit_all(List<Types...>) {
    Sum sum;
    ((sum << Types::number * sizeof(std::array<char, Types::number + 1>)), ...);
    return sum.value;
}

/* Expressions as variants that own each other. */
struct Expression;
using Owned = std::unique_ptr<Expression>;
struct Constant { std::int64_t value; };
struct Negation { Owned inner; };
struct Operation { char sign; Owned left, right; };
struct Expression : std::variant<Constant, Negation, Operation> { using variant::variant; };
template <typename... Functions> struct Overloaded : Functions... { using Functions::operator()...; };

Owned grow(Numbers &numbers, int depth) {
    if (depth == 0)
        return std::make_unique<Expression>(Constant{static_cast<std::int64_t>(numbers() % 100)});
    if (numbers() % 5 == 0)
        return std::make_unique<Expression>(Negation{grow(numbers, depth - 1)});
    auto left = grow(numbers, depth - 1);
    auto right = grow(numbers, depth - 1);
    return std::make_unique<Expression>(Operation{"+-*"[numbers() % 3], std::move(left), std::move(right)});
}

std::int64_t value(const Expression &expression) {
    return std::visit(Overloaded{
        [](const Constant &constant) { return constant.value; },
        [](const Negation &negation) { return -value(*negation.inner); },
        [](const Operation &operation) {
            auto left = value(*operation.left), right = value(*operation.right);
            auto result = operation.sign == '+' ? left + right : operation.sign == '-' ? left - right : left * right;
            return result % 1000003;
        },
    }, static_cast<const std::variant<Constant, Negation, Operation> &>(expression));
}

std::uint64_t expressions() {
    Numbers numbers(3);
    Sum sum;
    for (int turn = 0; turn < 200; turn++)
        sum << static_cast<std::uint64_t>(value(*grow(numbers, 10)));
    return sum.value;
}

template <template <typename...> class Map> std::uint64_t map_of_strings() {
    Numbers numbers(5);
    Map<std::string, std::vector<std::tuple<int, std::string>>> map;
    for (int step = 0; step < 600000; step++) {
        auto key = "key " + std::to_string(numbers() % 3000);
        if (step % 7 == 0)
            map.erase(key);
        else
            map[key].emplace_back(step, key + key);
    }
    std::vector<std::string> keys;
    for (const auto &[key, values] : map)
        keys.push_back(key);
    std::ranges::sort(keys);
    Sum sum;
    for (const auto &key : keys)
        for (const auto &[step, text] : map.at(key))
            sum << step << text;
    return sum.value;
}

std::uint64_t containers() {
    Numbers numbers(7);
    std::multiset<std::uint64_t, std::greater<>> ordered;
    std::list<std::string> list;
    std::deque<std::shared_ptr<std::uint64_t>> recent;
    std::vector<std::weak_ptr<std::uint64_t>> watched;
    for (int step = 0; step < 150000; step++) {
        auto number = std::make_shared<std::uint64_t>(numbers());
        ordered.insert(*number % 1000);
        if (ordered.size() > 500)
            ordered.erase(ordered.begin());
        list.push_front(std::to_string(*number));
        if (list.size() > 300)
            list.pop_back();
        recent.push_back(number);
        if (recent.size() > 200)
            recent.pop_front();
        if (step % 100 == 0)
            watched.push_back(number);
    }
    list.sort();
    Sum sum;
    for (auto number : ordered)
        sum << number;
    for (const auto &text : list)
        sum << text;
    sum << std::ranges::count_if(watched, [](const auto &weak) { return weak.expired(); });
    return sum.value;
}

std::uint64_t pipelines() {
    Numbers numbers(11);
    std::vector<std::uint64_t> list(50000);
    std::ranges::generate(list, numbers);
    auto view = list | std::views::filter([](auto number) { return number % 3 == 0; })
        | std::views::transform([](auto number) { return std::to_string(number) + "!"; }) | std::views::drop(10)
        | std::views::take(9000);
    Sum sum;
    for (const auto &text : view)
        sum << text;
    std::ranges::stable_sort(list, {}, [](auto number) { return number % 1000; });
    for (auto number : list | std::views::reverse | std::views::take(1000))
        sum << number;
    return sum.value;
}

/* A coroutine whose frame, and nothing else, holds the tree walked. */
class Walk {
  public:
    struct promise_type {
        std::string current;
        Walk get_return_object() { return Walk(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        std::suspend_always yield_value(std::string text) { return current = std::move(text), std::suspend_always(); }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    explicit Walk(std::coroutine_handle<promise_type> handle) : handle(handle) {}
    Walk(Walk &&other) noexcept : handle(std::exchange(other.handle, {})) {}
    Walk &operator=(Walk &&) = delete;
    ~Walk() {
        if (handle)
            handle.destroy();
    }
    std::optional<std::string> next() {
        if (!handle.done())
            handle.resume();
        return handle.done() ? std::nullopt : std::optional(handle.promise().current);
    }

  private:
    std::coroutine_handle<promise_type> handle;
};

Walk walk(std::shared_ptr<std::map<int, std::string>> map) {
    for (const auto &[key, text] : *map)
        co_yield std::to_string(key) + text;
}

std::uint64_t coroutines() {
    std::vector<Walk> walks;
    for (int index = 0; index < 3000; index++) {
        auto map = std::make_shared<std::map<int, std::string>>();
        for (int key = 0; key < index % 17; key++)
            map->emplace(key, std::string(20, static_cast<char>('a' + key)));
        walks.push_back(walk(std::move(map)));
    }
    Sum sum;
    for (int round = 0; round < 10; round++)
        for (auto &one : walks)
            sum << one.next().value_or("end");
    return sum.value;
}

/* Exceptions thrown deep down, nested, carried between threads. */
std::string trouble(int depth) {
    const std::string local(40, 'x');
    try {
        if (depth == 0)
            throw std::out_of_range("bottom " + local);
        return trouble(depth - 1);
    } catch (const std::exception &) {
        std::throw_with_nested(std::runtime_error("level " + std::to_string(depth)));
    }
}

std::string unfold(const std::exception &error) {
    try {
        std::rethrow_if_nested(error);
    } catch (const std::exception &inner) {
        return std::string(error.what()) + ", " + unfold(inner);
    }
    return error.what();
}

std::uint64_t exceptions() {
    Sum sum;
    for (int turn = 0; turn < 200; turn++) {
        std::exception_ptr carried;
        std::thread([&carried, turn] {
            try {
                trouble(turn % 25);
            } catch (...) {
                carried = std::current_exception();
            }
        }).join();
        try {
            std::rethrow_exception(carried);
        } catch (const std::exception &error) {
            sum << unfold(error);
        }
    }
    return sum.value;
}

std::uint64_t threads() {
    std::mutex mutex;
    std::map<int, std::uint64_t> results;
    std::vector<std::jthread> workers;
    for (int index = 0; index < 6; index++)
        workers.emplace_back([&, index] {
            thread_local std::vector<std::string> mine;
            Numbers numbers(index + 1);
            std::function<std::uint64_t(std::uint64_t)> chain = [](std::uint64_t number) { return number; };
            for (int step = 0; step < 100; step++)
                chain = [chain, step, text = std::string(30, 'f')](std::uint64_t number) {
                    return step % 10 ? chain(number) + text.size() : number;
                };
            Sum sum;
            for (int step = 0; step < 60000; step++) {
                mine.push_back(std::to_string(numbers()));
                if (mine.size() > 400)
                    mine.erase(mine.begin(), mine.begin() + 200);
            }
            for (const auto &text : mine)
                sum << text;
            sum << chain(static_cast<std::uint64_t>(index));
            std::scoped_lock lock(mutex);
            results[index] = sum.value;
        });
    workers.clear();
    Sum sum;
    for (const auto &[index, result] : results)
        sum << static_cast<std::uint64_t>(index) << result;
    return sum.value;
}

} // namespace

int main() {
    const std::vector<std::pair<const char *, std::function<std::uint64_t()>>> sections = {
        {"types", [] { return visit_all(Tags<1, 200>::type()); }},
        {"expressions", expressions},
        {"ordered map", map_of_strings<std::map>},
        {"hashed map", map_of_strings<std::unordered_map>},
        {"containers", containers},
        {"pipelines", pipelines},
        {"coroutines", coroutines},
        {"exceptions", exceptions},
        {"threads", threads},
    };
    for (const auto &[name, section] : sections)
        std::printf("%s %016llx\n", name, static_cast<unsigned long long>(section()));
}
