/* See pool.h. */
#include "keeper/pool.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/strays.h"
#include "isolate/native/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A zygote is replaced after so many children or so long: they share its address layout and hash
 * seeds.  And when it has grown: it does nothing but fork, and holds as much as at first. */
#define ZYGOTE_FORKS_MAX    2000
#define ZYGOTE_AGE_MAX_US   (3600 * LIMIT_SECOND)
#define ZYGOTE_GROWTH_MAX   (UINT64_C(16) * 1024 * 1024)
#define ZYGOTE_WEIGHT_FORKS 64 /* so often it is looked at */

/* Loading what a zygote loads may take long on a busy machine; a fork does not. */
#define ZYGOTE_LOADS_MAX_US (120 * LIMIT_SECOND)

/* After a failure the next attempt waits, twice as long each time. */
#define RETRY_FIRST_US (LIMIT_SECOND / 10)
#define RETRY_MAX_US   (60 * LIMIT_SECOND)

/* Making the next takes a processor from the one that has just been taken: as long as others are
 * ready, not at once.  Starting a one-shot takes as long as its program would; of what a zygote
 * makes at once only one that comes alone can be spared the work, else it piles up. */
#define REST_US          (LIMIT_SECOND / 250)
#define REST_ONE_SHOT_US (LIMIT_SECOND / 20)
#define ALONE_US         (LIMIT_SECOND / 100)

/* What has changed is told this often at most: each time the engine wakes up for it. */
#define TELL_PERIOD_US (LIMIT_SECOND / 4)

static void set_timer(struct pool *pool, uint64_t at_us)
{
    const struct itimerspec when = {.it_value = {.tv_sec = (time_t)(at_us / 1000000),
                                                 .tv_nsec = (long)(at_us % 1000000) * 1000}};
    IGNORE(timerfd_settime(pool->timer, TFD_TIMER_ABSTIME, &when, NULL) != 0); /* valid */
}

static bool is_loading(const struct pool *pool)
{
    return pool->nest != NULL && pool->nest->zygote.pidfd >= 0 && !pool->nest->zygote.ready;
}

/* For the next attempt, and for the answer of a zygote that loads: whichever comes first. */
static void arm_timer(struct pool *pool)
{
    const uint64_t next = pool->retry_us > pool->rest_us ? pool->retry_us : pool->rest_us;
    const uint64_t retry = next > clock_monotonic_us() ? next : 0;
    const uint64_t answer = is_loading(pool) ? pool->zygote_us + ZYGOTE_LOADS_MAX_US : 0;
    set_timer(pool, retry == 0 || (answer != 0 && answer < retry) ? answer : retry);
}

static int watch(struct pool *pool, enum watch_source source, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &pool->watches[source]};
    pool->watches[source] = (struct watch){source, NULL, pool};
    return epoll_ctl(pool->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Others may hold copies of it for a moment: see run.c. */
static void unwatch(struct pool *pool, int fd)
{
    if (fd >= 0) {
        IGNORE(epoll_ctl(pool->epoll, EPOLL_CTL_DEL, fd, NULL) != 0); /* may not be in */
    }
}

struct pool *pool_create(struct sandbox_host *host, const struct pool_owner *owner, int epoll,
                         struct wire *wire, const struct keeper_pool *order, int pack,
                         struct cella_error *err)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        error_set(err, CELLA_ERROR_HOST, ENOMEM, "no memory for a pool");
        return NULL;
    }
    pool->id = order->header.run;
    pool->plan = order->plan;
    pool->pack = -1;
    pool->one_shot = order->one_shot != 0;
    pool->host = host;
    pool->owner = *owner;
    pool->epoll = epoll;
    pool->wire = wire;
    pool->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (pool->timer < 0 || watch(pool, WATCH_POOL_TIMER, pool->timer) != 0 ||
        (pack >= 0 && (pool->pack = fcntl(pack, F_DUPFD_CLOEXEC, 0)) < 0)) {
        error_set(err, CELLA_ERROR_HOST, errno, "cannot make a pool");
        pool_destroy(pool);
        return NULL;
    }
    if (pack >= 0 && sandbox_host_open_nests(host, err) != 0) {
        pool_destroy(pool);
        return NULL;
    }
    return pool;
}

/* ---- the zygote ---- */

static void end_zygote(struct pool *pool)
{
    struct zygote *zygote = &pool->nest->zygote;
    unwatch(pool, zygote->control);
    unwatch(pool, zygote->pidfd);
    zygote_end(zygote);
    pool->forks = 0;
}

/* Runs in it go on, and take it along with the last of them. */
static void leave_nest(struct pool *pool)
{
    if (pool->nest != NULL) {
        end_zygote(pool);
        unwatch(pool, pool->nest->base.control);
        unwatch(pool, pool->nest->base.pidfd);
        nest_retire(pool->nest);
        pool->nest = NULL;
    }
}

/* Who has waited longest; its pack is the caller's then. */
static bool next_waiting(struct pool *pool, struct pool_waiting *ret_first)
{
    if (pool->waiting_count == 0) {
        return false;
    }
    *ret_first = pool->waiting[0];
    pool->waiting_count--;
    memmove(pool->waiting, pool->waiting + 1, pool->waiting_count * sizeof(*ret_first));
    return true;
}

/* What failed may fail again: they are not to wait for that. */
static void start_waiting_anew(struct pool *pool)
{
    struct pool_waiting first;
    while (next_waiting(pool, &first)) {
        pool->owner.cold(pool->owner.context, &pool->plan, first.id, first.pack);
        fd_close(&first.pack);
    }
}

void pool_forget_all(struct pool *pool)
{
    struct pool_waiting first;
    while (next_waiting(pool, &first)) {
        fd_close(&first.pack);
    }
}

static void failed(struct pool *pool, const struct cella_error *error)
{
    const unsigned doublings = pool->failures < 16 ? pool->failures : 16;
    const uint64_t wait = RETRY_FIRST_US << doublings;
    pool->failures++;
    pool->error = *error;
    pool->retry_us = clock_monotonic_us() + (wait < RETRY_MAX_US ? wait : RETRY_MAX_US);
    pool->changed = true;
    arm_timer(pool);
    start_waiting_anew(pool);
}

static void nest_failed(struct pool *pool, const struct cella_error *error)
{
    leave_nest(pool);
    failed(pool, error);
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
    failed(pool, error);
}

static void open_nest(struct pool *pool)
{
    struct cella_error error;
    enum step step = STEP_COUNT;
    struct nest *nest = calloc(1, sizeof(*nest));
    if (nest == NULL) {
        error_set(&error, CELLA_ERROR_HOST, ENOMEM, "no memory for a nest");
        failed(pool, &error);
        return;
    }
    if (nest_open(pool->host, &pool->plan, nest, &step, &error) != 0) {
        free(nest);
        failed(pool, &error);
        return;
    }
    pool->nest = nest;
    if (watch(pool, WATCH_NEST, nest->base.control) != 0 ||
        watch(pool, WATCH_NEST_DEAD, nest->base.pidfd) != 0) {
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
    } else if (watch(pool, WATCH_ZYGOTE, zygote->control) != 0 ||
               watch(pool, WATCH_ZYGOTE_DEAD, zygote->pidfd) != 0) {
        error_set(&error, CELLA_ERROR_HOST, errno, "cannot watch a zygote");
        zygote_failed(pool, &error);
    } else {
        pool->zygote_us = clock_monotonic_us();
        arm_timer(pool);
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

/* ---- making ---- */

static void drop(struct run **runs, size_t *count, const struct run *run)
{
    for (size_t i = 0; i < *count; i++) {
        if (runs[i] == run) {
            (*count)--;
            memmove(runs + i, runs + i + 1, (*count - i) * sizeof(struct run *));
            return;
        }
    }
}

static void make_one(struct pool *pool)
{
    struct cella_error error;
    struct run *run = run_make(pool, &error);
    if (run == NULL) {
        failed(pool, &error);
        return;
    }
    pool->making[pool->making_count++] = run;
}

bool pool_step(struct pool *pool)
{
    const bool wanted =
        pool->parked_count + pool->making_count < pool->target + pool->waiting_count &&
        pool->making_count < POOL_MAKING_MAX;
    const uint64_t now = clock_monotonic_us();
    if (pool->failures > 0 && pool->making_count > 0 && now >= pool->retry_us) {
        /* What a zygote made and was killed before it told of keeps its sandbox from ending. */
        strays_reap();
    }
    if (!wanted || now < pool->retry_us || (pool->parked_count > 0 && now < pool->rest_us)) {
        return false;
    }
    if (pool->pack < 0 || pool->one_shot) {
        make_one(pool);
        return true;
    }
    if (pool->nest == NULL) {
        open_nest(pool);
        return true;
    }
    if (!pool->nest->ready) {
        return false; /* an event will tell */
    }
    const bool worn = pool->nest->zygote.pidfd >= 0 && is_worn(pool);
    if (worn && pool->making_count == 0) {
        end_zygote(pool);
    }
    if (pool->nest->zygote.pidfd < 0) {
        start_zygote(pool);
        return true;
    }
    if (!pool->nest->zygote.ready || worn || nest_is_full(pool->nest)) {
        return false; /* as above: also of a sandbox's end */
    }
    pool->forks++;
    make_one(pool);
    return true;
}

void pool_run_hidden(struct pool *pool, struct run *run)
{
    struct cella_error error;
    if (pool->pack < 0) {
        pool_run_parked(pool, run); /* there is nothing else to wait for */
        return;
    }
    if (pool->one_shot) {
        if (sandbox_start_one_shot(pool->host, &run->sandbox, pool->pack, &error) != 0) {
            run_kill(run); /* it has died, and that will be told */
        }
        return;
    }
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

static void rest(struct pool *pool)
{
    const uint64_t now = clock_monotonic_us();
    if (pool->one_shot || now - pool->taken_us > ALONE_US) {
        pool->rest_us = now + (pool->one_shot ? REST_ONE_SHOT_US : REST_US);
        arm_timer(pool);
    }
    pool->taken_us = now;
}

/* False: it has just died, and is gone. */
static bool begin(struct pool *pool, struct run *run, uint64_t id, int pack)
{
    pool->taken++;
    pool->changed = true;
    rest(pool);
    if (run_assign(run, pool->wire, id, pack) != 0) {
        return false;
    }
    pool->owner.began(pool->owner.context, run);
    return true;
}

void pool_run_parked(struct pool *pool, struct run *run)
{
    drop(pool->making, &pool->making_count, run);
    run->state = RUN_PARKED;
    pool->failures = 0;
    pool->made++;
    pool->changed = true;
    struct pool_waiting first;
    if (!next_waiting(pool, &first)) {
        pool->parked[pool->parked_count++] = run;
        return;
    }
    if (!begin(pool, run, first.id, first.pack)) {
        pool->owner.cold(pool->owner.context, &pool->plan, first.id, first.pack);
    }
    fd_close(&first.pack);
}

/* It does not get on.  In a nest either side may be to blame: all of it ends. */
void pool_run_stuck(struct pool *pool)
{
    if (pool->nest != NULL) {
        IGNORE(sys_pidfd_send_signal(pool->nest->base.pidfd, SIGKILL)); /* it may be dead */
    }
}

void pool_run_lost(struct pool *pool, struct run *run, const struct cella_error *error)
{
    drop(pool->making, &pool->making_count, run);
    drop(pool->parked, &pool->parked_count, run);
    if (error != NULL) {
        failed(pool, error);
    }
}

/* ---- what is said ---- */

static struct run *find_made(const struct pool *pool, uint64_t id)
{
    for (size_t i = 0; i < pool->making_count; i++) {
        if (pool->making[i]->id == id) {
            return pool->making[i];
        }
    }
    return NULL;
}

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
            struct run *run = find_made(pool, number);
            if (run == NULL || run->sandbox.pidfd >= 0 || run_built(run, pidfd, &error) != 0) {
                fd_close(&pidfd);
                if (run != NULL) {
                    pool_run_lost(pool, run, &error);
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
    struct run *run = find_made(pool, message->number);
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
        arm_timer(pool);
    }
    if (closed && pool->nest != NULL && pool->nest->zygote.control >= 0) {
        error_set(&message.error, CELLA_ERROR_HOST, 0, "the zygote has died");
        zygote_failed(pool, &message.error);
    }
}

static void handle_timer(struct pool *pool)
{
    struct cella_error error;
    uint64_t expirations = 0;
    IGNORE(read(pool->timer, &expirations, sizeof(expirations)) < 0); /* only to rearm it */
    if (is_loading(pool) && clock_monotonic_us() >= pool->zygote_us + ZYGOTE_LOADS_MAX_US) {
        error_set(&error, CELLA_ERROR_HOST, 0, "the zygote took too long to load");
        zygote_failed(pool, &error);
    } else {
        arm_timer(pool);
    }
}

void pool_event(struct pool *pool, enum watch_source source)
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
    case WATCH_POOL_TIMER:
        handle_timer(pool);
        break;
    default:
        assert(false); /* a run's */
    }
}

/* ---- the engine's side ---- */

bool pool_serve(struct pool *pool, const struct plan *plan, uint64_t id, int pack)
{
    /* The engine is not believed: what is ready is for this plan alone. */
    if (memcmp(plan, &pool->plan, sizeof(*plan)) != 0) {
        return false;
    }
    while (pool->parked_count > 0) {
        struct run *run = pool->parked[0];
        drop(pool->parked, &pool->parked_count, run);
        if (begin(pool, run, id, pack)) {
            return true;
        }
    }
    const bool soon = pool->nest != NULL && pool->nest->zygote.ready && pool->failures == 0 &&
                      pool->waiting_count < POOL_WAITING_MAX;
    const int kept = soon ? fcntl(pack, F_DUPFD_CLOEXEC, 0) : -1;
    if (kept < 0) {
        return false;
    }
    pool->waiting[pool->waiting_count++] = (struct pool_waiting){id, kept};
    return true;
}

bool pool_forget(struct pool *pool, uint64_t id)
{
    for (size_t i = 0; i < pool->waiting_count; i++) {
        struct pool_waiting *waiting = &pool->waiting[i];
        if (waiting->id == id) {
            fd_close(&waiting->pack);
            pool->waiting_count--;
            memmove(waiting, waiting + 1, (pool->waiting_count - i) * sizeof(*waiting));
            return true;
        }
    }
    return false;
}

void pool_set_target(struct pool *pool, uint32_t target)
{
    pool->target = target < POOL_READY_MAX ? target : POOL_READY_MAX;
    while (pool->parked_count > pool->target) {
        run_destroy(pool->parked[--pool->parked_count]);
        pool->changed = true;
    }
}

int pool_tell(struct pool *pool)
{
    const uint64_t now = clock_monotonic_us();
    if (!pool->changed) {
        return -1;
    }
    if (now - pool->told_us < TELL_PERIOD_US) {
        return (int)((TELL_PERIOD_US - (now - pool->told_us)) / 1000) + 1;
    }
    pool->told_us = now;
    pool->changed = false;
    const struct keeper_pool_state state = {
        .header = {KEEPER_POOL_STATE, KEEPER_PROTOCOL_VERSION, pool->id},
        .ready = (uint32_t)pool->parked_count,
        .made = pool->made,
        .taken = pool->taken,
        .zygotes = pool->zygotes,
        .zygotes_dead = pool->dead,
        .failures = pool->failures,
        .held_bytes = pool->nest != NULL ? pool->nest->zygote.held_bytes : 0,
        .error = pool->error,
    };
    wire_send(pool->wire, &state, sizeof(state), NULL, 0);
    return -1;
}

void pool_destroy(struct pool *pool)
{
    start_waiting_anew(pool);
    while (pool->making_count > 0) {
        run_destroy(pool->making[--pool->making_count]);
    }
    pool_set_target(pool, 0);
    leave_nest(pool);
    if (pool->timer >= 0) {
        unwatch(pool, pool->timer);
        (void)close(pool->timer); /* a timer */
    }
    fd_close(&pool->pack);
    free(pool);
}
