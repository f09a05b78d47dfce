/*
 * Descriptors: the cleanup idiom, and reading and writing all of something.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/attributes.h"

#include <stddef.h>
#include <sys/types.h>

/* Closes the descriptor when the variable goes out of scope, unless it is negative. */
#define AUTO_CLOSE CLEANUP(fd_close)
/* Closes *fd if it is not negative and sets it to -1.  errno stays as it was.  Never retried: on
 * Linux the descriptor is gone even when close() reports EINTR. */
void fd_close(int *fd);

/* The descriptor, which from now on is the caller's: the variable becomes -1. */
int take_fd(int *fd);

/* Reads until `size` bytes are there or the file ends; returns how many, or -1. */
ssize_t fd_read_full(int fd, void *data, size_t size) MUST_CHECK;
/* Writes all of it, to a descriptor that blocks. */
int fd_write_full(int fd, const void *data, size_t size) MUST_CHECK;

#endif
