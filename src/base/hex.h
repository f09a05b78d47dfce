/* Hexadecimal digits. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stddef.h>

/* What the digit stands for, a small or a capital letter; -1: it is none. */
int hex_value(char digit);
/* Two digits for each byte, letters small, and a NUL. */
void hex_write(const void *bytes, size_t size, char *ret_text);

#endif
