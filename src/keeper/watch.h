/*
 * What an event of the keeper's epoll set points at: the descriptor's role, and whose it is.
 */
#ifndef KEEPER_WATCH_H
#define KEEPER_WATCH_H

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

#endif
