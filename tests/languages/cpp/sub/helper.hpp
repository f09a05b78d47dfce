#include <string>

std::string größe();
