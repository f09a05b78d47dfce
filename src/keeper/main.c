/*
 * cella-keeper: the one process with privilege.  It makes namespaces, mounts and control groups for
 * one engine, which talks to it over descriptor 3, and ends when that engine does.
 *
 * It is single-threaded, reads fixed frames and nothing else, and believes none of them
 * (ceiling.c).  It never reads what a guest or a caller wrote: the pack goes through it unopened.
 * It holds the clocks, so that they run on while an engine is busy or stopped.
 */
#include "base/error.h"
#include "isolate/native/sandbox.h"
#include "isolate/native/sys.h"
#include "keeper/common.h"
#include "keeper/pool.h"
#include "keeper/run.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <unistd.h>

#define ENGINE_SOCKET 3
#define RUNS_MAX      4096
#define POOLS_MAX     64

/* What a run holds; and what is kept for whatever is opened for a moment, to start one or to read
 * its figures: without a descriptor for that a limit would be held, and its verdict be wrong. */
#define RUN_DESCRIPTORS     12
#define DESCRIPTORS_RESERVE 64

#define TIDY_PERIOD_MS 10

struct keeper {
    struct common common;
    struct run *runs[RUNS_MAX]; /* those alive, in no order */
    size_t run_count;
    size_t runs_max;               /* RUNS_MAX, or fewer where descriptors are few */
    struct pool *pools[POOLS_MAX]; /* in no order */
    size_t pool_count;
};

static void forget_inherited(struct keeper *keeper);
static int greet(struct keeper *keeper);
static int serve(struct keeper *keeper);
static int handle_engine(struct keeper *keeper);
static int create_run(struct keeper *keeper, const struct keeper_create *create, int pack);
static void set_pool(struct keeper *keeper, const struct keeper_pool *order, int pack);
static struct pool **find_pool(struct keeper *keeper, uint64_t id);
static void forget_waiting(struct keeper *keeper, uint64_t id);
static void keep_run(void *context, struct run *run);
static int watch_engine(struct keeper *keeper);

int main(void)
{
    static struct keeper keeper; /* too large for comfort on a stack */

    forget_inherited(&keeper);
    wire_init(&keeper.common.wire, ENGINE_SOCKET);
    int result = greet(&keeper);
    while (result == 0) {
        result = serve(&keeper);
    }
    /* The engine is gone, or has never been there. */
    for (size_t i = 0; i < keeper.pool_count; i++) {
        pool_forget_all(keeper.pools[i]);
    }
    while (keeper.run_count > 0) {
        run_destroy(keeper.runs[--keeper.run_count]);
    }
    while (keeper.pool_count > 0) {
        pool_destroy(keeper.pools[--keeper.pool_count]);
    }
    sandbox_host_close(&keeper.common.host);
    wire_done(&keeper.common.wire);
    return 0;
}

/* The usual soft limit is 1024.  How many runs fit below it: an engine that keeps to three quarters
 * of its own soft limit at this price asks for no more. */
static void raise_descriptors(struct keeper *keeper)
{
    struct rlimit files = {.rlim_cur = 0};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        IGNORE(setrlimit(RLIMIT_NOFILE, &files) != 0); /* then EMFILE is answered as it comes */
    }
    const rlim_t all = files.rlim_cur;
    const rlim_t reserve = all / 4 < DESCRIPTORS_RESERVE ? all / 4 : DESCRIPTORS_RESERVE;
    const rlim_t fit = (all - reserve) / RUN_DESCRIPTORS;
    keeper->runs_max = fit > RUNS_MAX ? RUNS_MAX : fit > 0 ? (size_t)fit : 1;
}

/* A caller's ignored signals, mask, terminal and descriptors must reach neither us nor a guest. */
static void forget_inherited(struct keeper *keeper)
{
    sigset_t none;

    raise_descriptors(keeper);
    IGNORE(personality(PER_LINUX) < 0); /* a caller's may turn address randomization off */
    IGNORE(setsid() < 0);               /* fails when we lead a session already */
    sys_reset_signals();
    sigemptyset(&none);
    IGNORE(sigprocmask(SIG_SETMASK, &none, NULL) != 0); /* valid arguments */
    IGNORE(
        sys_close_range(ENGINE_SOCKET + 1, ~0U, 0)); /* Linux before 5.9: then clone3 fails too */
}

static int open_all(struct keeper *keeper, struct cella_error *err)
{
    if (sandbox_host_open(&keeper->common.host, err) != 0) {
        return -1;
    }
    keeper->common.epoll = epoll_create1(EPOLL_CLOEXEC);
    return keeper->common.epoll < 0 || watch_engine(keeper) != 0
               ? error_set(err, CELLA_ERROR_HOST, errno, "the keeper cannot watch its engine")
               : 0;
}

static int greet(struct keeper *keeper)
{
    struct cella_error err;
    const int flags = fcntl(ENGINE_SOCKET, F_GETFL);
    if (flags < 0 || fcntl(ENGINE_SOCKET, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(ENGINE_SOCKET, F_SETFD, FD_CLOEXEC) != 0) {
        return -1; /* not started by an engine */
    }
    if (open_all(keeper, &err) != 0) {
        const struct keeper_refused refused = {
            .header = {KEEPER_REFUSED, KEEPER_PROTOCOL_VERSION, 0}, .error = err};
        wire_send(&keeper->common.wire, &refused, sizeof(refused), NULL, 0);
        return -1;
    }
    ceiling_open(&keeper->common.ceiling, keeper->common.host.privileged);
    const struct keeper_hello hello = {.header = {KEEPER_HELLO, KEEPER_PROTOCOL_VERSION, 0}};
    wire_send(&keeper->common.wire, &hello, sizeof(hello), NULL, 0);
    sandbox_host_make_ahead(&keeper->common.host); /* while the engine reads its first request */
    return 0;
}

/* Reads while the queue has room, writes while it has something. */
static int watch_engine(struct keeper *keeper)
{
    const struct wire *wire = &keeper->common.wire;
    struct epoll_event event = {.data.ptr = NULL};
    event.events = (wire->queued < WIRE_QUEUE_MAX ? (uint32_t)EPOLLIN : 0U) |
                   (wire->queued > 0 ? (uint32_t)EPOLLOUT : 0U);
    if (epoll_ctl(keeper->common.epoll, EPOLL_CTL_MOD, wire->socket, &event) == 0) {
        return 0;
    }
    return epoll_ctl(keeper->common.epoll, EPOLL_CTL_ADD, wire->socket, &event);
}

static void forget_run(struct keeper *keeper, const struct run *run)
{
    for (size_t i = 0; i < keeper->run_count; i++) {
        if (keeper->runs[i] == run) {
            keeper->runs[i] = keeper->runs[--keeper->run_count];
            return;
        }
    }
}

/* While there is nothing else to do; while somebody goes first, not for others.  False when the
 * pools want nothing either. */
static bool work_ahead(struct keeper *keeper)
{
    bool worked = false;
    for (size_t i = 0; i < keeper->pool_count && !worked; i++) {
        worked = pool_step(keeper->pools[i], keeper->common.express.count > 0);
    }
    return worked;
}

/* How long there may be nothing to do. */
static int tell(struct keeper *keeper)
{
    int wait = sandbox_host_tidy(&keeper->common.host) ? -1 : TIDY_PERIOD_MS;
    const int express = express_look(&keeper->common.express, keeper->runs, keeper->run_count);
    wait = express >= 0 && (wait < 0 || express < wait) ? express : wait;
    for (size_t i = 0; i < keeper->pool_count; i++) {
        const int again = pool_tell(keeper->pools[i]);
        wait = again >= 0 && (wait < 0 || again < wait) ? again : wait;
    }
    return wait;
}

static void handle_event(struct keeper *keeper, const struct watch *source)
{
    struct run *run = source->run; /* `source` may lie in it */
    if (run == NULL) {
        pool_event(source->pool, source->source);
        return;
    }
    const uint64_t id = run->maker == NULL ? run->id : 0; /* a pool has numbers of its own */
    const bool is_over = run_event(run, source->source) == RUN_IS_OVER;
    if (is_over) {
        forget_run(keeper, run);
    }
    if (id != 0 && (is_over || run->concluded)) { /* and so not looked at */
        express_leave(&keeper->common.express, id, keeper->runs, keeper->run_count);
    }
}

/* One event at a time: a run that is over is freed, and a second event of it fetched in the same
 * call would point to nothing. */
static int serve(struct keeper *keeper)
{
    struct epoll_event event;
    const size_t queued = keeper->common.wire.queued;
    IGNORE(express_look(&keeper->common.express, keeper->runs, keeper->run_count));
    int count = epoll_wait(keeper->common.epoll, &event, 1, 0);
    if (count == 0) {
        count = work_ahead(keeper) ? 0 : epoll_wait(keeper->common.epoll, &event, 1, tell(keeper));
    }
    if (count < 0 && errno != EINTR) {
        return -1;
    }
    if (count > 0 && event.data.ptr == NULL && handle_engine(keeper) != 0) {
        return -1;
    }
    if (count > 0 && event.data.ptr != NULL) {
        handle_event(keeper, event.data.ptr);
    }
    if (keeper->common.wire.broken) {
        return -1;
    }
    return keeper->common.wire.queued != queued ? watch_engine(keeper) : 0;
}

static struct run *find_run(const struct keeper *keeper, uint64_t id)
{
    for (size_t i = 0; i < keeper->run_count; i++) {
        if (keeper->runs[i]->id == id) {
            return keeper->runs[i];
        }
    }
    return NULL;
}

static void answer_ping(struct keeper *keeper)
{
    const struct keeper_ping pong = {.header = {KEEPER_PONG, KEEPER_PROTOCOL_VERSION, 0}};
    wire_send(&keeper->common.wire, &pong, sizeof(pong), NULL, 0);
}

/* Where init takes no more orders now, they are those of somebody who gives too many. */
static void tell_program(const struct run *run, const struct keeper_tell *tell)
{
    const struct init_order signal = {.type = INIT_ORDER_SIGNAL, .signal = tell->signal};
    const struct init_order size = {
        .type = INIT_ORDER_RESIZE, .rows = tell->rows, .columns = tell->columns};
    if (tell->rows > 0 && tell->columns > 0) {
        IGNORE(sys_send(run->sandbox.control, &size, sizeof(size), NULL, 0) != 0);
    }
    if (tell->signal > 0) {
        IGNORE(sys_send(run->sandbox.control, &signal, sizeof(signal), NULL, 0) != 0);
    }
}

static int handle_engine(struct keeper *keeper)
{
    static union wire_request request; /* a plan is too large for comfort on a stack */
    int pack = -1;

    wire_flush(&keeper->common.wire);
    const int received = wire_receive(&keeper->common.wire, &request, &pack);
    if (received <= 0) {
        return received;
    }
    int result = 0;
    struct run *run = NULL;
    switch ((enum keeper_frame_type)request.header.type) {
    case KEEPER_STOP:
        run = find_run(keeper, request.header.run);
        if (run != NULL) {
            run_stop(run);
        } else {
            forget_waiting(keeper, request.header.run); /* or it has ended meanwhile */
        }
        break;
    case KEEPER_POOL:
        set_pool(keeper, &request.pool, pack);
        break;
    case KEEPER_PING:
        answer_ping(keeper);
        break;
    case KEEPER_TELL:
        run = find_run(keeper, request.header.run);
        if (run != NULL && run->state == RUN_RUNNING) {
            tell_program(run, &request.tell);
        }
        break;
    default:
        result = find_run(keeper, request.header.run) == NULL
                     ? create_run(keeper, &request.create, pack)
                     : -1;
    }
    if (pack >= 0) {
        (void)close(pack); /* the sandbox has its own */
    }
    return result;
}

/* ---- pools ---- */

static struct pool **find_pool(struct keeper *keeper, uint64_t id)
{
    for (size_t i = 0; i < keeper->pool_count; i++) {
        if (keeper->pools[i]->id == id) {
            return &keeper->pools[i];
        }
    }
    return NULL;
}

/* What a pool is refused is told as its state; there is no way in which the engine depends on it.
 * */
static void refuse_pool(struct keeper *keeper, uint64_t id, const struct cella_error *error)
{
    const struct keeper_pool_state state = {
        .header = {KEEPER_POOL_STATE, KEEPER_PROTOCOL_VERSION, id}, .failures = 1, .error = *error};
    wire_send(&keeper->common.wire, &state, sizeof(state), NULL, 0);
}

/* One that waited for a pool is not started. */
static void forget_waiting(struct keeper *keeper, uint64_t id)
{
    struct keeper_refused refused = {.header = {KEEPER_REFUSED, KEEPER_PROTOCOL_VERSION, id}};
    for (size_t i = 0; i < keeper->pool_count; i++) {
        if (pool_forget(keeper->pools[i], id)) {
            error_set(&refused.error, CELLA_ERROR_BUSY, 0, "stopped while it waited");
            wire_send(&keeper->common.wire, &refused, sizeof(refused), NULL, 0);
            return;
        }
    }
}

static void start_anew(void *context, const struct plan *plan, const struct pool_request *request)
{
    static struct keeper_create create; /* too large for comfort on a stack */
    create = (struct keeper_create){
        .header = {KEEPER_CREATE, KEEPER_PROTOCOL_VERSION, request->id},
        .turn = request->turn,
        .plan = *plan,
    };
    IGNORE(create_run(context, &create, request->pack) != 0); /* it says itself what it refuses */
}

static struct pool *add_pool(struct keeper *keeper, const struct keeper_pool *order, int pack)
{
    const struct pool_owner owner = {keeper, keep_run, start_anew};
    struct cella_error error = {.kind = CELLA_ERROR_NONE};
    struct pool *pool = NULL;
    if (keeper->pool_count == POOLS_MAX) {
        error_set(&error, CELLA_ERROR_BUSY, 0, "there are %d pools already", POOLS_MAX);
    } else if (ceiling_check(&keeper->common.ceiling, &order->plan, &error) == 0) {
        pool = pool_create(&keeper->common, &owner, order, pack, &error);
    }
    if (pool == NULL) {
        refuse_pool(keeper, order->header.run, &error);
        return NULL;
    }
    keeper->pools[keeper->pool_count++] = pool;
    return pool;
}

static void set_pool(struct keeper *keeper, const struct keeper_pool *order, int pack)
{
    struct pool **place = find_pool(keeper, order->header.run);
    if (order->size == 0) {
        if (place != NULL) {
            pool_destroy(*place);
            *place = keeper->pools[--keeper->pool_count];
        }
        return;
    }
    struct pool *pool = place != NULL ? *place : add_pool(keeper, order, pack);
    if (pool != NULL) {
        pool_set_target(pool, order->size);
    }
}

/* ---- runs ---- */

/* NULL: it was refused. */
static void keep_run(void *context, struct run *run)
{
    struct keeper *keeper = context;
    if (run != NULL) {
        assert(keeper->run_count < RUNS_MAX); /* create_run() sees to it */
        keeper->runs[keeper->run_count++] = run;
    }
}

/* Those that wait in a pool will be runs too. */
static size_t count_runs(const struct keeper *keeper)
{
    size_t count = keeper->run_count;
    for (size_t i = 0; i < keeper->pool_count; i++) {
        count += keeper->pools[i]->waiting_count;
    }
    return count;
}

static int create_run(struct keeper *keeper, const struct keeper_create *create, int pack)
{
    if (count_runs(keeper) >= keeper->runs_max || pack < 0) {
        struct keeper_refused refused = {
            .header = {KEEPER_REFUSED, KEEPER_PROTOCOL_VERSION, create->header.run}};
        if (pack < 0) {
            error_set(&refused.error, CELLA_ERROR_HOST, EMFILE, "the keeper cannot take a run");
        } else {
            error_set(&refused.error, CELLA_ERROR_BUSY, 0, "%zu runs are going already",
                      count_runs(keeper));
            error_set_hint(&refused.error, "try again later; `ulimit -Hn` bounds how many fit");
        }
        wire_send(&keeper->common.wire, &refused, sizeof(refused), NULL, 0);
        return 0;
    }
    const enum keeper_turn turn = (enum keeper_turn)create->turn;
    if (turn != KEEPER_TURN_ALONE) {
        express_share(&keeper->common.express, &keeper->common.host.cgroups, keeper->runs,
                      keeper->run_count);
    }
    const struct pool_request request = {create->header.run, pack, turn};
    struct pool **pool = create->pool != 0 ? find_pool(keeper, create->pool) : NULL;
    if (pool != NULL && pool_serve(*pool, &create->plan, &request)) {
        return 0;
    }
    keep_run(keeper, run_create(&keeper->common, create, pack));
    return 0;
}
