/*
 * Messages over a Unix socket of packets (SOCK_SEQPACKET), with descriptors in them (SCM_RIGHTS).
 * Allocates nothing.
 */
#ifndef BASE_FD_PASSING_H
#define BASE_FD_PASSING_H

#include "base/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Of one message.  What is sent by others with more comes cut. */
#define FD_PASSED_MAX 16U

/* Sends the parts as one message, with copies of the descriptors, of which there may be none: they
 * stay the caller's.  `flags` as of send(); SIGPIPE is none.  How many bytes, or -1, but never for
 * EINTR; too many descriptors: EINVAL. */
ssize_t fd_send(int socket, const struct iovec *parts, size_t part_count, const int *fds,
                size_t fd_count, int flags) MUST_CHECK;

/* What came beside the bytes of a message. */
struct fd_passed {
    int fds[FD_PASSED_MAX]; /* close-on-exec; the receiver's */
    size_t count;
    bool is_cut;    /* there were more bytes than room for them */
    bool lacks_fds; /* there were more descriptors than fit here, or than this process may have */
};

/* Receives one message.  As recv(), but never for EINTR; on failure nothing was passed. */
ssize_t fd_receive(int socket, void *data, size_t size, int flags,
                   struct fd_passed *ret_passed) MUST_CHECK;

/* Closes those from that one on. */
void fd_passed_close(struct fd_passed *passed, size_t first);

#endif
