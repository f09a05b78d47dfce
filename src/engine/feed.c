/* The standard input of one program: see feed.h. */
#include "engine/feed.h"

#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The request's bytes may be as many as the request allows: it was checked. */
#define FEED_REQUEST_MAX ((size_t)1 << 30)

int feed_init(struct feed *feed, const void *data, size_t size, bool stay_open)
{
    *feed = (struct feed){.stay_open = stay_open};
    buffer_init(&feed->queue, FEED_REQUEST_MAX);
    return buffer_add(&feed->queue, data, size);
}

void feed_done(struct feed *feed)
{
    buffer_done(&feed->queue);
}

size_t feed_take(struct feed *feed, const void *data, size_t size)
{
    if (feed->ended) {
        return size;
    }
    struct buffer *queue = &feed->queue;
    size_t waiting = queue->size - feed->sent;
    size_t room = waiting < FEED_LIVE_MAX ? FEED_LIVE_MAX - waiting : 0;
    size_t taken = size < room ? size : room;
    if (taken == 0) {
        return 0;
    }
    if (feed->sent > 0) {
        memmove(queue->data, queue->data + feed->sent, waiting);
        queue->size = waiting;
        feed->sent = 0;
    }
    /* Without memory there is no room now, and perhaps later. */
    return buffer_add(queue, data, taken) < 0 ? 0 : taken;
}

/*
 * A library may not change what its host does with SIGPIPE, and write() to a pipe knows no flag
 * against it.  So the signal is blocked for this thread, and one that this write has made is taken
 * away before the mask is as it was.  One that was pending before stays: it is somebody else's.
 */
static ssize_t write_quietly(int fd, const void *data, size_t size)
{
    sigset_t broken_pipe, before, pending;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &broken_pipe, &before) != 0) {
        return -1;
    }
    bool was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    ssize_t written = write(fd, data, size);
    int write_errno = errno;
    if (written < 0 && write_errno == EPIPE && !was_pending) {
        const struct timespec no_time = {0, 0};
        while (sigtimedwait(&broken_pipe, NULL, &no_time) < 0 && errno == EINTR) {
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* cannot fail with a mask it gave us */
    errno = write_errno;
    return written;
}

static enum feed_state end(struct feed *feed)
{
    feed->ended = true;
    feed->sent = 0;
    buffer_done(&feed->queue);
    return FEED_ENDED;
}

enum feed_state feed_flush(struct feed *feed, int fd)
{
    struct buffer *queue = &feed->queue;
    while (feed->sent < queue->size) { /* ends: each turn writes or leaves */
        ssize_t written = write_quietly(fd, queue->data + feed->sent, queue->size - feed->sent);
        if (written < 0 && errno == EAGAIN) {
            return FEED_WAITING;
        }
        if (written < 0 && errno != EINTR) {
            return end(feed); /* EPIPE: nobody reads any more */
        }
        if (written > 0) {
            feed->sent += (size_t)written;
        }
    }
    return feed->stay_open ? FEED_IDLE : end(feed);
}
