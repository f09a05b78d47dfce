/*
 * The part of pool.h that has a nest, and in it the zygote whose children the pool's programs are.
 * Divisions: their ends; their beginnings; what they say.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "keeper/pool_inside.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* A zygote is replaced after so many children or so long: they share its address layout and hash
 * seeds.  And when it has grown: it does nothing but fork, and holds as much as at first. */
#define ZYGOTE_FORKS_MAX    2000
#define ZYGOTE_AGE_MAX_US   (3600 * LIMIT_SECOND)
#define ZYGOTE_GROWTH_MAX   (UINT64_C(16) * 1024 * 1024)
#define ZYGOTE_WEIGHT_FORKS 64 /* so often it is looked at */

/* Loading what a zygote loads may take long on a busy machine; a fork does not. */
#define ZYGOTE_LOADS_MAX_US (120 * LIMIT_SECOND)

/* ---- their ends ---- */

static void end_zygote(struct pool *pool)
{
    struct zygote *zygote = &pool->nest->zygote;
    watch_end(pool->common->epoll, zygote->control);
    watch_end(pool->common->epoll, zygote->pidfd);
    zygote_end(zygote);
    pool->forks = 0;
}

void pool_nest_leave(struct pool *pool)
{
    if (pool->nest != NULL) {
        end_zygote(pool);
        watch_end(pool->common->epoll, pool->nest->base.control);
        watch_end(pool->common->epoll, pool->nest->base.pidfd);
        nest_retire(pool->nest);
        pool->nest = NULL;
    }
}

static void nest_failed(struct pool *pool, const struct cella_error *error)
{
    pool_nest_leave(pool);
    pool_failed(pool, error);
}

static void zygote_failed(struct pool *pool, const struct cella_error *error)
{
    end_zygote(pool);
    pool->dead++;
    /* They wait for a child of this zygote, or would soon.  One that is not yet there will ask the
     * next zygote. */
    for (size_t i = 0; i < pool->making_count; i++) {
        run_abandon(pool->making[i]);
    }
    pool_failed(pool, error);
}

/* ---- their beginnings ---- */

static void open_nest(struct pool *pool)
{
    struct cella_error error;
    enum step step = STEP_COUNT;
    struct nest *nest = calloc(1, sizeof(*nest));
    if (nest == NULL) {
        error_set(&error, CELLA_ERROR_HOST, ENOMEM, "no memory for a nest");
        pool_failed(pool, &error);
        return;
    }
    if (nest_open(&pool->common->host, ceiling_mark(&pool->common->ceiling, &pool->plan), nest,
                  &step, &error) != 0) {
        free(nest);
        pool_failed(pool, &error);
        return;
    }
    pool->nest = nest;
    if (pool_watch(pool, WATCH_NEST, nest->base.control) != 0 ||
        pool_watch(pool, WATCH_NEST_DEAD, nest->base.pidfd) != 0) {
        error_set(&error, CELLA_ERROR_HOST, errno, "cannot watch a nest");
        nest_failed(pool, &error);
    }
}

static void start_zygote(struct pool *pool)
{
    struct cella_error error;
    struct zygote *zygote = &pool->nest->zygote;
    pool->zygotes++;
    if (zygote_start(pool->nest, pool->pack, &error) != 0) {
        zygote_failed(pool, &error);
    } else if (pool_watch(pool, WATCH_ZYGOTE, zygote->control) != 0 ||
               pool_watch(pool, WATCH_ZYGOTE_DEAD, zygote->pidfd) != 0) {
        error_set(&error, CELLA_ERROR_HOST, errno, "cannot watch a zygote");
        zygote_failed(pool, &error);
    } else {
        pool->zygote_us = clock_monotonic_us();
        pool_arm_timer(pool);
    }
}

static bool is_worn(const struct pool *pool)
{
    const struct zygote *zygote = &pool->nest->zygote;
    return pool->forks >= ZYGOTE_FORKS_MAX ||
           clock_monotonic_us() - pool->zygote_us > ZYGOTE_AGE_MAX_US ||
           (zygote->ready && pool->forks % ZYGOTE_WEIGHT_FORKS == ZYGOTE_WEIGHT_FORKS - 1 &&
            zygote_growth(zygote) > ZYGOTE_GROWTH_MAX);
}

enum pool_nest_step pool_nest_step(struct pool *pool)
{
    if (pool->nest == NULL) {
        open_nest(pool);
        return POOL_NEST_STEPPED;
    }
    if (!pool->nest->ready) {
        return POOL_NEST_WAITS;
    }
    const bool worn = pool->nest->zygote.pidfd >= 0 && is_worn(pool);
    if (worn && pool->making_count == 0) {
        end_zygote(pool);
    }
    if (pool->nest->zygote.pidfd < 0) {
        start_zygote(pool);
        return POOL_NEST_STEPPED;
    }
    /* Also of a sandbox's end there is an event. */
    return pool->nest->zygote.ready && !worn && !nest_is_full(pool->nest) ? POOL_NEST_READY
                                                                          : POOL_NEST_WAITS;
}

void pool_nest_fork(struct pool *pool, struct run *run)
{
    struct cella_error error;
    if (pool->nest == NULL || pool->nest != run->sandbox.nest || !pool->nest->zygote.ready) {
        run_abandon(run); /* its nest or zygote has failed meanwhile, and that has been counted */
        return;
    }
    if (zygote_fork(pool->nest, run->id, run->protections | run->sandbox.held, &run->sandbox,
                    &run->program, &error) != 0) {
        zygote_failed(pool, &error);
    }
    nest_program_done(&run->program);
}

uint64_t pool_nest_answer_us(const struct pool *pool)
{
    const bool is_loading =
        pool->nest != NULL && pool->nest->zygote.pidfd >= 0 && !pool->nest->zygote.ready;
    return is_loading ? pool->zygote_us + ZYGOTE_LOADS_MAX_US : 0;
}

void pool_nest_is_late(struct pool *pool)
{
    struct cella_error error;
    error_set(&error, CELLA_ERROR_HOST, 0, "the zygote took too long to load");
    zygote_failed(pool, &error);
}

/* ---- what they say ---- */

static void handle_nest(struct pool *pool)
{
    struct cella_error error = {.kind = CELLA_ERROR_NONE};
    enum nest_event event = NEST_FAILED;
    uint64_t number = 0;
    int pidfd = -1;
    bool closed = false;
    while (pool->nest != NULL && nest_next(pool->nest, &event, &number, &pidfd, &error, &closed)) {
        if (event == NEST_FAILED) {
            nest_failed(pool, &error);
        } else if (event == NEST_BUILT) {
            struct run *run = pool_find_made(pool, number);
            if (run == NULL || run->sandbox.pidfd >= 0 || run_built(run, pidfd, &error) != 0) {
                fd_close(&pidfd);
                if (run != NULL) {
                    pool_lose(pool, run, &error);
                    run_destroy(run);
                }
            }
        }
    }
    if (closed && pool->nest != NULL) {
        error_set(&error, CELLA_ERROR_HOST, 0, "the nest has died");
        nest_failed(pool, &error);
    }
}

static void handle_forked(struct pool *pool, const struct zygote_message *message, int pidfd)
{
    struct cella_error error;
    struct run *run = pool_find_made(pool, message->number);
    if (run == NULL || pidfd < 0 || run_forked(run, pidfd, &error) != 0) {
        fd_close(&pidfd);
        if (run != NULL) {
            run_kill(run);
        }
    }
}

static void handle_zygote(struct pool *pool)
{
    struct zygote_message message;
    int pidfd = -1;
    bool closed = false;
    while (pool->nest != NULL && pool->nest->zygote.control >= 0 &&
           zygote_next(pool->nest, &message, &pidfd, &closed)) {
        if (message.type == ZYGOTE_FORKED) {
            handle_forked(pool, &message, pidfd);
            continue;
        }
        fd_close(&pidfd);
        if (message.error.kind != CELLA_ERROR_NONE) {
            zygote_failed(pool, &message.error);
            return;
        }
        pool->changed = true;
        pool_arm_timer(pool);
    }
    if (closed && pool->nest != NULL && pool->nest->zygote.control >= 0) {
        error_set(&message.error, CELLA_ERROR_HOST, 0, "the zygote has died");
        zygote_failed(pool, &message.error);
    }
}

void pool_nest_event(struct pool *pool, enum watch_source source)
{
    struct cella_error error;
    switch (source) {
    case WATCH_NEST:
        handle_nest(pool);
        break;
    case WATCH_ZYGOTE:
        handle_zygote(pool);
        break;
    case WATCH_NEST_DEAD:
        error_set(&error, CELLA_ERROR_HOST, 0, "the nest has died");
        nest_failed(pool, &error);
        break;
    case WATCH_ZYGOTE_DEAD:
        handle_zygote(pool); /* it may have said why */
        if (pool->nest != NULL && pool->nest->zygote.pidfd >= 0) {
            error_set(&error, CELLA_ERROR_HOST, 0, "the zygote has died");
            zygote_failed(pool, &error);
        }
        break;
    default:
        assert(false); /* a run's */
    }
}
