/* UTF-8: see utf8.h. */
#include "base/utf8.h"

#include <string.h>

#define UTF8_CHARACTER_MAX 4

/* What a lead byte announces: how many bytes, and the range of the second, which alone rules out
 * overlong forms, surrogates and code points above U+10FFFF (Unicode standard, table 3-7). */
struct lead {
    size_t length; /* 0: no character begins so */
    unsigned char second_min, second_max;
};

static struct lead lead_of(unsigned char byte)
{
    if (byte < 0x80) {
        return (struct lead){1, 0, 0};
    }
    if (byte >= 0xC2 && byte <= 0xDF) {
        return (struct lead){2, 0x80, 0xBF};
    }
    if (byte >= 0xE0 && byte <= 0xEF) {
        return (struct lead){3, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF};
    }
    if (byte >= 0xF0 && byte <= 0xF4) {
        return (struct lead){4, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF};
    }
    return (struct lead){0, 0, 0};
}

/* How many bytes at the start agree with a character; *ret_whole is how many it needs, 0 for a byte
 * that begins none. */
static size_t matching(const unsigned char *bytes, size_t size, size_t *ret_whole)
{
    struct lead lead = lead_of(bytes[0]);
    *ret_whole = lead.length;
    size_t length = 1;
    while (length < lead.length && length < size) {
        unsigned char min = length == 1 ? lead.second_min : 0x80;
        unsigned char max = length == 1 ? lead.second_max : 0xBF;
        if (bytes[length] < min || bytes[length] > max) {
            break;
        }
        length++;
    }
    return length;
}

size_t utf8_decode(const char *data, size_t size, uint32_t *ret_code)
{
    const unsigned char *bytes = (const unsigned char *)data;
    size_t whole;
    if (size == 0 || matching(bytes, size, &whole) != whole) {
        return 0;
    }
    uint32_t code = whole == 1 ? bytes[0] : bytes[0] & (0x7FU >> whole);
    for (size_t i = 1; i < whole; i++) {
        code = code << 6 | (bytes[i] & 0x3FU);
    }
    *ret_code = code;
    return whole;
}

size_t utf8_valid_prefix(const char *data, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)data;
    size_t valid = 0;
    while (valid < size) {
        uint64_t word;
        /* Output is mostly ASCII: eight bytes at a time. */
        if (size - valid >= sizeof(word)) {
            memcpy(&word, bytes + valid, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                valid += sizeof(word);
                continue;
            }
        }
        size_t whole;
        if (matching(bytes + valid, size - valid, &whole) != whole) {
            break;
        }
        valid += whole;
    }
    return valid;
}

bool utf8_is_valid(const char *data, size_t size)
{
    return utf8_valid_prefix(data, size) == size;
}

size_t utf8_bad_length(const char *data, size_t size)
{
    size_t whole;
    return matching((const unsigned char *)data, size, &whole);
}

size_t utf8_cut(const char *data, size_t size)
{
    for (size_t back = 1; back < UTF8_CHARACTER_MAX && back <= size; back++) {
        size_t whole;
        size_t there = matching((const unsigned char *)data + size - back, back, &whole);
        if (whole > back && there == back) {
            return size - back;
        }
    }
    return size;
}

size_t utf8_boundary(const char *data, size_t size, size_t position)
{
    for (size_t back = 1; back < UTF8_CHARACTER_MAX && back <= position; back++) {
        size_t start = position - back;
        size_t whole;
        if (start < size &&
            matching((const unsigned char *)data + start, size - start, &whole) == whole &&
            whole > back) {
            return start;
        }
    }
    return position;
}

bool utf8_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

const char *utf8_problem(const char *data, size_t size)
{
    for (size_t offset = 0; offset < size;) {
        uint32_t code = 0;
        size_t length = utf8_decode(data + offset, size - offset, &code);
        if (length == 0) {
            return "is not valid UTF-8";
        }
        if (utf8_is_control(code)) {
            return "contains a control character";
        }
        offset += length;
    }
    return NULL;
}
