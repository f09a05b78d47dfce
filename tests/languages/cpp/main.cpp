#include "sub/helper.hpp"

#include <chrono>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

int main(int argc, char **argv)
{
    const std::string_view mode = argv[1];
    if (mode == "ordinary") {
        std::cout << "hello\n";
        for (int i = 2; i < argc; i++) {
            std::cout << (i > 2 ? "|" : "") << argv[i];
        }
        std::ifstream file("data/in.txt");
        std::cout << '\n' << file.rdbuf() << größe() << '\n' << std::cin.rdbuf();
        return 3;
    }
    if (mode == "raise") {
        throw std::runtime_error("boom é");
    }
    if (mode == "sleep") {
        std::cout << "before" << std::endl;
        std::this_thread::sleep_for(std::chrono::seconds(60));
    }
    if (mode == "memory") {
        std::vector<std::vector<char>> kept;
        for (;;) {
            kept.emplace_back(1 << 20, 'x');
        }
    }
    for (;;) {
        std::cout << "floodfloodfloodfloodfloodfloodfloodfloodfloodflood\n";
    }
}
