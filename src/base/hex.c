/* See hex.h. */
#include "base/hex.h"

int hex_value(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

void hex_write(const void *bytes, size_t size, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++) {
        *ret_text++ = digits[byte[i] >> 4];
        *ret_text++ = digits[byte[i] & 15];
    }
    *ret_text = '\0';
}
