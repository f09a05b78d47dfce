/* The limits as an array: see limits.h.  Shared by glibc and musl code. */
#include "request/limits.h"

#include <string.h>

#define LIMIT_ROW(id, name, flag, unit, default_value, default_cap, verdict, help)                 \
    {name, flag, unit, default_value, default_cap, verdict, help},
const struct limit_info limit_table[LIMIT_COUNT] = {LIMITS(LIMIT_ROW)};

void limits_init(struct limits *limits)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        limits->value[i] = LIMIT_UNSET;
    }
}

enum limit limit_by_name(const char *name)
{
    enum limit limit = 0;
    while (limit < LIMIT_COUNT && strcmp(limit_table[limit].name, name) != 0) {
        limit++;
    }
    return limit;
}
