/* What the files of pool.h know of each other. */
#ifndef KEEPER_POOL_INSIDE_H
#define KEEPER_POOL_INSIDE_H

#include "keeper/pool.h"

/* ---- pool.c ---- */

/* Events of a descriptor are the pool's from now on. */
int pool_watch(struct pool *pool, enum watch_source source, int fd) MUST_CHECK;
/* For whatever comes first: the next attempt, a zygote's answer. */
void pool_arm_timer(struct pool *pool);
/* Something could not be made: the next attempt comes later. */
void pool_failed(struct pool *pool, const struct cella_error *error);
/* One that is being made, or NULL. */
struct run *pool_find_made(const struct pool *pool, uint64_t id);
void pool_lose(struct pool *pool, struct run *run, const struct cella_error *error);

/* ---- pool_nest.c: the nest that the zygote lives in, and the zygote ---- */

enum pool_nest_step {
    POOL_NEST_READY, /* the zygote can make a child */
    POOL_NEST_STEPPED,
    POOL_NEST_WAITS, /* an event will tell */
};
/* Goes on with it by one step, if it is not ready. */
enum pool_nest_step pool_nest_step(struct pool *pool);
/* Asks the zygote for the program of a sandbox whose init waits. */
void pool_nest_fork(struct pool *pool, struct run *run);
void pool_nest_event(struct pool *pool, enum watch_source source);
/* When a zygote that loads must have answered; 0: none does. */
uint64_t pool_nest_answer_us(const struct pool *pool);
/* It has not. */
void pool_nest_is_late(struct pool *pool);
/* Runs in it go on, and take it along with the last of them. */
void pool_nest_leave(struct pool *pool);

#endif
