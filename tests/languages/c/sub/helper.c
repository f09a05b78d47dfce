#include "helper.h"

const char *größe(void)
{
    return "héllo ☃ from sub";
}
