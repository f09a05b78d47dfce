#include "helper.hpp"

std::string größe()
{
    return "héllo ☃ from sub";
}
