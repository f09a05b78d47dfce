/* Descriptors: see fd.h. */
#include "base/fd.h"

#include <errno.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0) {
        int saved_errno = errno;
        (void)close(*fd); /* nothing can be done about a failure here */
        errno = saved_errno;
        *fd = -1;
    }
}

int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

ssize_t fd_read_full(int fd, void *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(fd, (char *)data + done, size - done);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        if (got > 0) {
            done += (size_t)got;
        }
    }
    return (ssize_t)done;
}

int fd_write_full(int fd, const void *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t put = write(fd, (const char *)data + done, size - done);
        if (put < 0 && errno != EINTR) {
            return -1;
        }
        if (put > 0) {
            done += (size_t)put;
        }
    }
    return 0;
}
