#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <iostream>
#include <map>
#include <numeric>
#include <optional>
#include <ranges>
#include <regex>
#include <thread>
#include <vector>

int main()
{
    std::vector<int> values(10);
    std::iota(values.begin(), values.end(), 1);
    auto even = values | std::views::filter([](int n) { return n % 2 == 0; });
    std::cout << std::accumulate(even.begin(), even.end(), 0) << '\n';
    auto future = std::async(std::launch::async, [] { return 6 * 7; });
    std::atomic<int> count = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; i++) {
        threads.emplace_back([&count] { count++; });
    }
    threads.clear();
    std::cout << future.get() << ' ' << count << '\n';
    std::cout << std::regex_replace("a1b22", std::regex("[0-9]+"), "#") << '\n';
    std::filesystem::create_directories("a/b");
    std::cout << std::filesystem::exists("a/b") << ' ' << std::filesystem::current_path() << '\n';
    std::map<std::string, std::optional<int>> table{{"größe", 1}, {"leer", std::nullopt}};
    for (const auto &[name, value] : table) {
        std::cout << name << '=' << value.value_or(-1) << '\n';
    }
}
// Output:
// 30
// 42 8
// a#b#
// 1 "/workspace"
// größe=1
// leer=-1
