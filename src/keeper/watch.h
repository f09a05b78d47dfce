/*
 * What an event of the keeper's epoll set points at: the descriptor's role, and whose it is.
 */
#ifndef KEEPER_WATCH_H
#define KEEPER_WATCH_H

#include "base/attributes.h"

#include <stdint.h>

struct run;
struct pool;

enum watch_source {
    /* of a run */
    WATCH_CONTROL,
    WATCH_INIT_DEAD,
    WATCH_PROGRAM_DEAD, /* one that was parked: the keeper's child */
    WATCH_TIMER,
    WATCH_FORK_EVENTS,
    WATCH_OF_RUN, /* how many these are */
    /* of a pool */
    WATCH_NEST = WATCH_OF_RUN,
    WATCH_NEST_DEAD,
    WATCH_ZYGOTE,
    WATCH_ZYGOTE_DEAD,
    WATCH_POOL_TIMER,
    WATCH_SOURCES
};

struct watch {
    enum watch_source source;
    struct run *run; /* NULL: a pool's */
    struct pool *pool;
};

/* From now on events of the descriptor point at that watch. */
int watch_begin(int epoll, struct watch *watch, int fd, uint32_t events) MUST_CHECK;
/* And no more.  Closing it is not enough: the first process of a sandbox may hold a copy for a
 * moment, and epoll would go on to name what is freed.  -1 is fine. */
void watch_end(int epoll, int fd);

#endif
