/*
 * A growing array of bytes with a limit.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/attributes.h"

#include <stddef.h>

struct buffer {
    char *data; /* NULL when nothing was ever added; else there is a NUL after the last byte */
    size_t size;
    size_t capacity;
    size_t max; /* bytes at most; 0 means BUFFER_MAX_DEFAULT */
};

#define BUFFER_MAX_DEFAULT ((size_t)1 << 31)

void buffer_init(struct buffer *buffer, size_t max);
void buffer_done(struct buffer *buffer);

/* Each returns -1 with nothing added when it would pass the limit or memory is short. */
int buffer_add(struct buffer *buffer, const void *data, size_t size) MUST_CHECK;
int buffer_add_string(struct buffer *buffer, const char *string) MUST_CHECK;
int buffer_add_format(struct buffer *buffer, const char *format, ...) MUST_CHECK PRINTF_LIKE(2, 3);

/* Room for `size` more bytes; what is then written there counts after buffer_commit(). */
char *buffer_reserve(struct buffer *buffer, size_t size) MUST_CHECK;
void buffer_commit(struct buffer *buffer, size_t size);

#endif
