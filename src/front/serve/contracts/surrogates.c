/* See surrogates.h. */
#include "front/serve/contracts/surrogates.h"

#include "base/hex.h"

#include <stdbool.h>
#include <string.h>

#define ESCAPE_SIZE 6U /* "\ud83d" */

/* The number of the escape that stands there, or -1. */
static long code_at(const char *json, size_t size, size_t at)
{
    long code = 0;
    if (at > size || size - at < ESCAPE_SIZE || json[at] != '\\' || json[at + 1] != 'u') {
        return -1;
    }
    for (size_t i = at + 2; i < at + ESCAPE_SIZE; i++) {
        const int digit = hex_value(json[i]);
        if (digit < 0) {
            return -1;
        }
        code = code * 16 + digit;
    }
    return code;
}

static bool is_first_half(long code)
{
    return code >= 0xD800 && code <= 0xDBFF;
}

static bool is_second_half(long code)
{
    return code >= 0xDC00 && code <= 0xDFFF;
}

void surrogates_mend(char *json, size_t size)
{
    static const char replacement[] = {'f', 'f', 'f', 'd'};
    size_t at = 0;
    /* Outside of strings there is no backslash in JSON. */
    while (at < size) {
        const char *found = memchr(json + at, '\\', size - at);
        if (found == NULL) {
            return;
        }
        at = (size_t)(found - json);
        const long code = code_at(json, size, at);
        if (is_first_half(code) && is_second_half(code_at(json, size, at + ESCAPE_SIZE))) {
            at += 2 * ESCAPE_SIZE;
            continue;
        }
        if (is_first_half(code) || is_second_half(code)) {
            memcpy(json + at + 2, replacement, sizeof(replacement));
        }
        at += code >= 0 ? ESCAPE_SIZE : 2; /* behind "\\" a second backslash is no escape's */
    }
}
