/* Messages with descriptors: see fd_passing.h. */
#include "base/fd_passing.h"

#include "base/fd.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* Aligned as the kernel's header wants it. */
union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(FD_PASSED_MAX * sizeof(int))];
};

/* The C libraries have different types for what is counted in a message, which all hold an uint8_t
 * and a socklen_t. */
ssize_t fd_send(int socket, const struct iovec *parts, size_t part_count, const int *fds,
                size_t fd_count, int flags)
{
    union control control;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, /* only read */
                             .msg_iovlen = (uint8_t)part_count};
    if (fd_count > FD_PASSED_MAX) {
        errno = EINVAL;
        return -1;
    }
    if (fd_count > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = &control;
        message.msg_controllen = (socklen_t)CMSG_SPACE(fd_count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = (socklen_t)CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

/* The kernel puts all of them into one control message, and no other kind is asked for. */
static void take_fds(struct msghdr *message, struct fd_passed *passed)
{
    const struct cmsghdr *part = CMSG_FIRSTHDR(message);
    if (part != NULL && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
        passed->count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int); /* as there was room for */
        memcpy(passed->fds, CMSG_DATA(part), passed->count * sizeof(int));
    }
}

ssize_t fd_receive(int socket, void *data, size_t size, int flags, struct fd_passed *ret_passed)
{
    union control control;
    struct iovec part = {.iov_base = data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t got;
    do {
        got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    ret_passed->count = 0;
    if (got >= 0) {
        take_fds(&message, ret_passed);
        ret_passed->is_cut = (message.msg_flags & MSG_TRUNC) != 0;
        ret_passed->lacks_fds = (message.msg_flags & MSG_CTRUNC) != 0;
    }
    return got;
}

void fd_passed_close(struct fd_passed *passed, size_t first)
{
    while (passed->count > first) {
        fd_close(&passed->fds[--passed->count]);
    }
}
