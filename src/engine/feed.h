/*
 * The standard input of one program: bytes that wait for room in its pipe.
 *
 * A program that no longer reads is no error: what is left for it is dropped.  The writing end
 * never blocks, and no SIGPIPE ever reaches the caller's program.
 */
#ifndef ENGINE_FEED_H
#define ENGINE_FEED_H

#include "base/attributes.h"
#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes that may wait beside those of the request. */
#define FEED_LIVE_MAX ((size_t)64 * 1024)

struct feed {
    struct buffer queue;
    size_t sent;    /* of the queue */
    bool stay_open; /* more may come when the queue is empty */
    bool ended;     /* all was written, or nobody reads it any more */
};

/* `size` bytes of the request are copied.  -1 when memory is short. */
int feed_init(struct feed *feed, const void *data, size_t size, bool stay_open) MUST_CHECK;
void feed_done(struct feed *feed);

/* Takes what there is room for and returns how much; everything when nobody reads any more. */
size_t feed_take(struct feed *feed, const void *data, size_t size);

static inline bool feed_is_empty(const struct feed *feed)
{
    return feed->sent == feed->queue.size;
}

enum feed_state {
    FEED_IDLE,    /* nothing to write, and more may come */
    FEED_WAITING, /* bytes are left that the pipe has no room for */
    FEED_ENDED,   /* all is written and nothing more will come, or nobody reads: close the pipe */
};

/* Writes what the pipe takes now. */
enum feed_state feed_flush(struct feed *feed, int fd);

#endif
