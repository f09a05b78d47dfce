/* See watch.h. */
#include "keeper/watch.h"

#include <stddef.h>
#include <sys/epoll.h>

int watch_begin(int epoll, struct watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void watch_end(int epoll, int fd)
{
    if (fd >= 0) {
        IGNORE(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) != 0); /* may not be in */
    }
}
