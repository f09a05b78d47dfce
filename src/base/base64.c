/* Base64: see base64.h. */
#include "base/base64.h"

#include <stdint.h>

#define NOT_BASE64 64U

size_t base64_encoded_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

void base64_encode(const void *data, size_t size, char *ret_text)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes[i + 2] : 0;
        *ret_text++ = alphabet[group >> 18];
        *ret_text++ = alphabet[group >> 12 & 63];
        *ret_text++ = (char)(left > 1 ? alphabet[group >> 6 & 63] : '=');
        *ret_text++ = (char)(left > 2 ? alphabet[group & 63] : '=');
    }
}

size_t base64_decoded_max(size_t text_size)
{
    return text_size / 4 * 3;
}

static uint32_t value_of(char character)
{
    unsigned char byte = (unsigned char)character;
    if (byte >= 'A' && byte <= 'Z') {
        return byte - (uint32_t)'A';
    }
    if (byte >= 'a' && byte <= 'z') {
        return byte - (uint32_t)'a' + 26;
    }
    if (byte >= '0' && byte <= '9') {
        return byte - (uint32_t)'0' + 52;
    }
    return byte == '+' ? 62 : byte == '/' ? 63 : NOT_BASE64;
}

int base64_decode(const char *text, size_t text_size, void *ret_data, size_t *ret_size)
{
    if (text_size % 4 != 0) {
        return -1;
    }
    unsigned char *out = ret_data;
    size_t done = 0;
    for (size_t i = 0; i < text_size; i += 4) {
        const char *group = text + i;
        size_t padding = 0;
        if (i + 4 == text_size && group[3] == '=') {
            padding = group[2] == '=' ? 2 : 1;
        }
        uint32_t bits = 0;
        for (size_t j = 0; j < 4; j++) {
            uint32_t value = j < 4 - padding ? value_of(group[j]) : 0;
            if (value == NOT_BASE64) {
                return -1;
            }
            bits = bits << 6 | value;
        }
        /* Bits that stand for no byte must be zero, or two texts would mean the same. */
        if ((bits & ((UINT32_C(1) << 8 * padding) - 1)) != 0) {
            return -1;
        }
        for (size_t j = 0; j < 3 - padding; j++) {
            out[done++] = (unsigned char)(bits >> (16 - 8 * j));
        }
    }
    *ret_size = done;
    return 0;
}
