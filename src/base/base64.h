/*
 * Base64 (RFC 4648, section 4), strict: the standard alphabet, padded, no white space, and one
 * encoding only for any bytes.  Allocates nothing.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/attributes.h"

#include <stddef.h>

/* Characters for `size` bytes, without a NUL; `size` is at most SIZE_MAX / 2. */
size_t base64_encoded_size(size_t size);
/* Writes exactly base64_encoded_size(size) characters, no NUL. */
void base64_encode(const void *data, size_t size, char *ret_text);

/* Bytes that a text of that size can hold at most. */
size_t base64_decoded_max(size_t text_size);
/* Returns -1 when the text is not strict base64. */
int base64_decode(const char *text, size_t text_size, void *ret_data, size_t *ret_size) MUST_CHECK;

#endif
