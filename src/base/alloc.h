/*
 * Memory: the cleanup idiom, and growing an array without an overflow in its size.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include "base/attributes.h"

#include <stddef.h>

/* Frees the memory when the variable goes out of scope. */
#define AUTO_FREE CLEANUP(alloc_free)
/* For CLEANUP(): `variable` is the address of a pointer.  errno stays as it was. */
void alloc_free(void *variable);

/* Room for one more item after the `count` that are there: returns the array, perhaps moved, or
 * NULL when memory is short; then the old one is as it was.  The room is always the next power of
 * two, so the array needs no field for its capacity; it may be grown by this function alone. */
void *alloc_grow(void *array, size_t count, size_t item_size) MUST_CHECK;

/* A copy of `size` bytes with a NUL after them, or NULL. */
char *alloc_copy(const void *data, size_t size) MUST_CHECK;

#endif
