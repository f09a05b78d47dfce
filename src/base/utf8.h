/*
 * UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing above U+10FFFF.
 * Allocates nothing; shared by glibc and musl code.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Bytes of the character that `data` begins with, and its code point; 0 when there is no valid
 * character, then *ret_code is untouched. */
size_t utf8_decode(const char *data, size_t size, uint32_t *ret_code);

/* Bytes at the start that are valid. */
size_t utf8_valid_prefix(const char *data, size_t size);
bool utf8_is_valid(const char *data, size_t size);

/* Bytes that one U+FFFD stands for where `data` begins with something invalid and `size` is not 0:
 * the longest beginning of a character, at least one byte, as the Unicode standard recommends. */
size_t utf8_bad_length(const char *data, size_t size);

/* The size without a character that the end of `data` cuts in two. */
size_t utf8_cut(const char *data, size_t size);

/* `position`, or the start of the valid character in whose middle it lies. */
size_t utf8_boundary(const char *data, size_t size, size_t position);

/* C0, DEL and C1: what must not reach a terminal or a file name. */
bool utf8_is_control(uint32_t code);

/* Why a text is no name: it is not valid, or has such a character; NULL for a good one. */
const char *utf8_problem(const char *data, size_t size);

#endif
