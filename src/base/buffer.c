/* A growing array of bytes with a limit: see buffer.h. */
#include "base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_CAPACITY_MIN 256

static size_t limit_of(const struct buffer *buffer)
{
    return buffer->max == 0 ? BUFFER_MAX_DEFAULT : buffer->max;
}

void buffer_init(struct buffer *buffer, size_t max)
{
    *buffer = (struct buffer){.max = max};
}

void buffer_done(struct buffer *buffer)
{
    int saved_errno = errno;
    free(buffer->data);
    *buffer = (struct buffer){.max = buffer->max};
    errno = saved_errno;
}

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    size_t limit = limit_of(buffer);
    if (size > limit - buffer->size) {
        errno = EMSGSIZE;
        return NULL;
    }
    size_t needed = buffer->size + size + 1; /* limit < SIZE_MAX, so this cannot wrap */
    if (needed > buffer->capacity) {
        size_t capacity =
            buffer->capacity < BUFFER_CAPACITY_MIN / 2 ? BUFFER_CAPACITY_MIN : buffer->capacity * 2;
        if (capacity > limit + 1) {
            capacity = limit + 1;
        }
        if (capacity < needed) {
            capacity = needed;
        }
        char *data = realloc(buffer->data, capacity);
        if (data == NULL) {
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
        data[buffer->size] = '\0';
    }
    return buffer->data + buffer->size;
}

void buffer_commit(struct buffer *buffer, size_t size)
{
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}

int buffer_add(struct buffer *buffer, const void *data, size_t size)
{
    char *room = buffer_reserve(buffer, size);
    if (room == NULL) {
        return -1;
    }
    if (size > 0) {
        memcpy(room, data, size);
    }
    buffer_commit(buffer, size);
    return 0;
}

int buffer_add_string(struct buffer *buffer, const char *string)
{
    return buffer_add(buffer, string, strlen(string));
}

int buffer_add_format(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = length < 0 ? NULL : buffer_reserve(buffer, (size_t)length);
    if (room != NULL) {
        (void)vsnprintf(room, (size_t)length + 1, format, again); /* measured above */
        buffer_commit(buffer, (size_t)length);
    }
    va_end(again);
    return room == NULL ? -1 : 0;
}
