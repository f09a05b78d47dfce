/* Memory: see alloc.h. */
#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void alloc_free(void *variable)
{
    void *memory;
    memcpy(&memory, variable, sizeof(memory)); /* `variable` points at some other pointer type */
    int saved_errno = errno;
    free(memory);
    errno = saved_errno;
}

void *alloc_grow(void *array, size_t count, size_t item_size)
{
    if ((count & (count - 1)) != 0) { /* not at a power of two: there is room */
        return array;
    }
    size_t capacity = 1;
    size_t bytes;
    if ((count > 0 && __builtin_mul_overflow(count, (size_t)2, &capacity)) ||
        __builtin_mul_overflow(capacity, item_size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(array, bytes);
}

char *alloc_copy(const void *data, size_t size)
{
    size_t with_nul;
    if (__builtin_add_overflow(size, (size_t)1, &with_nul)) {
        errno = ENOMEM;
        return NULL;
    }
    char *copy = malloc(with_nul);
    if (copy == NULL) {
        return NULL;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    copy[size] = '\0';
    return copy;
}
