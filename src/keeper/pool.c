/* See pool.h.  Divisions: time; who waits; making; the engine's side. */
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/strays.h"
#include "isolate/native/sys.h"
#include "keeper/pool_inside.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

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

/* ---- time ---- */

void pool_arm_timer(struct pool *pool)
{
    const uint64_t next = pool->retry_us > pool->rest_us ? pool->retry_us : pool->rest_us;
    const uint64_t retry = next > clock_monotonic_us() ? next : 0;
    const uint64_t answer = pool_nest_answer_us(pool);
    clock_set_timer(pool->timer, retry == 0 || (answer != 0 && answer < retry) ? answer : retry);
}

static void handle_timer(struct pool *pool)
{
    const uint64_t answer = pool_nest_answer_us(pool);
    clock_clear_timer(pool->timer);
    if (answer != 0 && clock_monotonic_us() >= answer) {
        pool_nest_is_late(pool);
    } else {
        pool_arm_timer(pool);
    }
}

int pool_watch(struct pool *pool, enum watch_source source, int fd)
{
    pool->watches[source] = (struct watch){source, NULL, pool};
    return watch_begin(pool->common->epoll, &pool->watches[source], fd, EPOLLIN);
}

void pool_event(struct pool *pool, enum watch_source source)
{
    if (source == WATCH_POOL_TIMER) {
        handle_timer(pool);
    } else {
        pool_nest_event(pool, source);
    }
}

/* ---- who waits ---- */

/* One of them, whose pack is the caller's then. */
static struct pool_request take_waiting(struct pool *pool, size_t i)
{
    const struct pool_request request = pool->waiting[i];
    pool->waiting_count--;
    memmove(pool->waiting + i, pool->waiting + i + 1, (pool->waiting_count - i) * sizeof(request));
    return request;
}

/* What failed may fail again: they are not to wait for that. */
static void start_waiting_anew(struct pool *pool)
{
    while (pool->waiting_count > 0) {
        struct pool_request first = take_waiting(pool, 0);
        pool->owner.cold(pool->owner.context, &pool->plan, &first);
        fd_close(&first.pack);
    }
}

void pool_forget_all(struct pool *pool)
{
    while (pool->waiting_count > 0) {
        struct pool_request first = take_waiting(pool, 0);
        fd_close(&first.pack);
    }
}

void pool_failed(struct pool *pool, const struct cella_error *error)
{
    const unsigned doublings = pool->failures < 16 ? pool->failures : 16;
    const uint64_t wait = RETRY_FIRST_US << doublings;
    pool->failures++;
    pool->error = *error;
    pool->retry_us = clock_monotonic_us() + (wait < RETRY_MAX_US ? wait : RETRY_MAX_US);
    pool->changed = true;
    pool_arm_timer(pool);
    start_waiting_anew(pool);
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

struct run *pool_find_made(const struct pool *pool, uint64_t id)
{
    for (size_t i = 0; i < pool->making_count; i++) {
        if (pool->making[i]->id == id) {
            return pool->making[i];
        }
    }
    return NULL;
}

static void make_one(struct pool *pool, enum keeper_turn turn)
{
    struct cella_error error;
    const struct run_order order = {
        .number = ++pool->runs,
        .plan = &pool->plan,
        .nest = pool->nest,
        .warm = pool->pack >= 0,
        .one_shot = pool->one_shot,
        .turn = turn,
    };
    struct run *run = run_make(pool->common, &pool->maker, &order, &error);
    if (run == NULL) {
        pool_failed(pool, &error);
        return;
    }
    pool->making[pool->making_count++] = run;
}

static size_t count_first(const struct pool *pool)
{
    size_t count = 0;
    while (count < pool->waiting_count && pool->waiting[count].turn == KEEPER_TURN_FIRST) {
        count++;
    }
    return count;
}

/* How many are to be ready besides. */
static size_t first_ready(const struct pool *pool)
{
    return pool->common->express.parted ? POOL_FIRST_READY : 0;
}

/* Of so many those that do not stand back. */
static size_t count_beside(struct run *const *runs, size_t count)
{
    size_t beside = 0;
    for (size_t i = 0; i < count; i++) {
        beside += !runs[i]->sandbox.cgroup.stands_back;
    }
    return beside;
}

/* For whom one more is to be made.  False: for nobody. */
static bool is_wanted(const struct pool *pool, bool hurry, enum keeper_turn *ret_turn)
{
    const bool parted = pool->common->express.parted;
    const size_t all = pool->parked_count + pool->making_count;
    const size_t beside = parted ? count_beside(pool->parked, pool->parked_count) +
                                       count_beside(pool->making, pool->making_count)
                                 : all;
    const size_t first = count_first(pool), spare = first_ready(pool);
    *ret_turn = beside < first           ? KEEPER_TURN_FIRST
                : beside < first + spare ? KEEPER_TURN_ALONE
                                         : KEEPER_TURN_COMMON;
    return all < ARRAY_LENGTH(pool->parked) &&
           (*ret_turn == KEEPER_TURN_FIRST ||
            (!hurry &&
             (*ret_turn == KEEPER_TURN_ALONE || all < pool->target + pool->waiting_count + spare)));
}

bool pool_step(struct pool *pool, bool hurry)
{
    enum keeper_turn turn = KEEPER_TURN_ALONE;
    const bool few = pool->one_shot || pool->common->express.shared;
    const size_t most = few ? POOL_MAKING_FEW : POOL_MAKING_MAX;
    const bool wanted = is_wanted(pool, hurry, &turn) && pool->making_count < most;
    const bool has_zygote = pool->pack >= 0 && !pool->one_shot;
    const uint64_t now = clock_monotonic_us();
    if (pool->failures > 0 && pool->making_count > 0 && now >= pool->retry_us) {
        /* What a zygote made and was killed before it told of keeps its sandbox from ending. */
        strays_reap();
    }
    if (!wanted || now < pool->retry_us ||
        (pool->waiting_count == 0 && pool->parked_count > 0 && now < pool->rest_us)) {
        return false;
    }
    const enum pool_nest_step step = has_zygote ? pool_nest_step(pool) : POOL_NEST_READY;
    if (step == POOL_NEST_READY) {
        pool->forks += has_zygote;
        make_one(pool, turn);
    }
    return step != POOL_NEST_WAITS;
}

static void rest(struct pool *pool)
{
    const uint64_t now = clock_monotonic_us();
    if (pool->one_shot || now - pool->taken_us > ALONE_US) {
        pool->rest_us = now + (pool->one_shot ? REST_ONE_SHOT_US : REST_US);
        pool_arm_timer(pool);
    }
    pool->taken_us = now;
}

/* False: it has just died, and is gone. */
static bool begin(struct pool *pool, struct run *run, const struct pool_request *request)
{
    drop(pool->parked, &pool->parked_count, run);
    pool->taken++;
    pool->changed = true;
    rest(pool);
    if (run_assign(run, request->id, request->pack, request->turn) != 0) {
        return false;
    }
    pool->owner.began(pool->owner.context, run);
    return true;
}

/* The oldest one that is ready for such a turn.  NULL: none. */
static struct run *choose(const struct pool *pool, enum keeper_turn turn)
{
    const bool parted = pool->common->express.parted;
    const bool beside = !parted || turn == KEEPER_TURN_FIRST ||
                        count_beside(pool->parked, pool->parked_count) > POOL_FIRST_READY;
    const bool back = !parted || turn != KEEPER_TURN_FIRST;
    for (size_t i = 0; i < pool->parked_count; i++) {
        if (pool->parked[i]->sandbox.cgroup.stands_back ? back : beside) {
            return pool->parked[i];
        }
    }
    return NULL;
}

static void on_parked(void *context, struct run *run)
{
    struct pool *pool = context;
    drop(pool->making, &pool->making_count, run);
    run->state = RUN_PARKED;
    pool->failures = 0;
    pool->made++;
    pool->changed = true;
    pool->parked[pool->parked_count++] = run;
    struct run *ready = NULL;
    size_t i = 0;
    while (i < pool->waiting_count && (ready = choose(pool, pool->waiting[i].turn)) == NULL) {
        i++;
    }
    if (ready != NULL) {
        struct pool_request request = take_waiting(pool, i);
        /* A stale one goes when one is asked for. */
        if (!shares_are_same(&pool->plan, ready->shares) || !begin(pool, ready, &request)) {
            pool->owner.cold(pool->owner.context, &pool->plan, &request);
        }
        fd_close(&request.pack);
    }
}

static void on_hidden(void *context, struct run *run)
{
    struct pool *pool = context;
    struct sandbox_host *host = &pool->common->host;
    struct cella_error error;
    if (pool->pack < 0) {
        on_parked(pool, run); /* there is nothing else to wait for */
    } else if (!pool->one_shot) {
        pool_nest_fork(pool, run);
    } else if (sandbox_start_one_shot(host, &run->sandbox, pool->pack, &error) != 0) {
        run_kill(run); /* it has died, and that will be told */
    }
}

/* In a nest either side may be to blame: all of it ends. */
static void on_stuck(void *context)
{
    const struct pool *pool = context;
    if (pool->nest != NULL) {
        IGNORE(sys_pidfd_send_signal(pool->nest->base.pidfd, SIGKILL)); /* it may be dead */
    }
}

void pool_lose(struct pool *pool, struct run *run, const struct cella_error *error)
{
    drop(pool->making, &pool->making_count, run);
    drop(pool->parked, &pool->parked_count, run);
    if (error != NULL) {
        pool_failed(pool, error);
    }
}

static void on_lost(void *context, struct run *run, const struct cella_error *error)
{
    pool_lose(context, run, error);
}

/* ---- the engine's side ---- */

/* Whether one path lies at or below another. */
static bool is_within(const char *path, const char *above)
{
    const size_t size = strlen(above);
    return strncmp(path, above, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

/* Whether a writable mount can be put over all others that a nest has. */
static bool lies_on_top(const struct plan *plan, const struct plan_mount *share)
{
    for (uint32_t i = 0; i < plan->mount_count; i++) {
        const struct plan_mount *other = &plan->mounts[i];
        if (other != share &&
            (is_within(other->target, share->target) ||
             (other->kind == PLAN_MOUNT_HIDE && is_within(share->target, other->target)))) {
            return false;
        }
    }
    return true;
}

/* Whether programs may be there before their runs.  Where those may write to the host, only in
 * sandboxes of a nest that does not show it; and only who rules the file system can give each of
 * these a mount of its own. */
static bool may_be_warm(const struct common *common, const struct keeper_pool *order)
{
    const struct plan *plan = &order->plan;
    for (uint32_t i = 0; i < plan->mount_count; i++) {
        if ((plan->mounts[i].flags & PLAN_MOUNT_WRITABLE) != 0 &&
            (order->one_shot != 0 || !common->host.privileged ||
             !lies_on_top(plan, &plan->mounts[i]))) {
            return false;
        }
    }
    return true;
}

struct pool *pool_create(struct common *common, const struct pool_owner *owner,
                         const struct keeper_pool *order, int pack, struct cella_error *err)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        error_set(err, CELLA_ERROR_HOST, ENOMEM, "no memory for a pool");
        return NULL;
    }
    pool->common = common;
    pool->owner = *owner;
    pool->maker = (struct run_maker){pool, on_hidden, on_parked, on_stuck, on_lost};
    pool->id = order->header.run;
    pool->plan = order->plan;
    pool->pack = -1;
    pack = may_be_warm(common, order) ? pack : -1;
    pool->one_shot = order->one_shot != 0 && pack >= 0;
    pool->timer = clock_open_timer();
    if (pool->timer < 0 || pool_watch(pool, WATCH_POOL_TIMER, pool->timer) != 0 ||
        (pack >= 0 && (pool->pack = fcntl(pack, F_DUPFD_CLOEXEC, 0)) < 0)) {
        error_set(err, CELLA_ERROR_HOST, errno, "cannot make a pool");
        pool_destroy(pool);
        return NULL;
    }
    if (pack >= 0 && sandbox_host_open_nests(&common->host, err) != 0) {
        pool_destroy(pool);
        return NULL;
    }
    return pool;
}

/* Behind those who came before, but before those who do not go first. */
static void add_waiting(struct pool *pool, const struct pool_request *request)
{
    size_t at = pool->waiting_count++;
    for (; at > 0 && pool->waiting[at - 1].turn < request->turn; at--) {
        pool->waiting[at] = pool->waiting[at - 1];
    }
    pool->waiting[at] = *request;
}

bool pool_serve(struct pool *pool, const struct plan *plan, const struct pool_request *request)
{
    /* The engine is not believed: what is ready is for this plan alone. */
    if (memcmp(plan, &pool->plan, sizeof(*plan)) != 0) {
        return false;
    }
    const bool soon = pool->nest != NULL && pool->nest->zygote.ready && pool->failures == 0 &&
                      pool->waiting_count < POOL_WAITING_MAX;
    while (pool->parked_count > 0) {
        struct run *run = choose(pool, request->turn);
        if (run == NULL && soon &&
            (request->turn != KEEPER_TURN_FIRST || !nest_is_full(pool->nest))) {
            break;
        }
        if (run == NULL && request->turn != KEEPER_TURN_FIRST) {
            return false; /* there it would count as much as all that stand back */
        }
        run = run != NULL ? run : pool->parked[0];
        if (!shares_are_same(plan, run->shares)) {
            drop(pool->parked, &pool->parked_count, run);
            run_destroy(run); /* it shows a directory that is not that any more */
            pool->changed = true;
        } else if (begin(pool, run, request)) {
            return true;
        }
    }
    const int kept = soon ? fcntl(request->pack, F_DUPFD_CLOEXEC, 0) : -1;
    if (kept < 0) {
        return false;
    }
    add_waiting(pool, &(struct pool_request){request->id, kept, request->turn});
    return true;
}

bool pool_forget(struct pool *pool, uint64_t id)
{
    for (size_t i = 0; i < pool->waiting_count; i++) {
        if (pool->waiting[i].id == id) {
            struct pool_request waiting = take_waiting(pool, i);
            fd_close(&waiting.pack);
            return true;
        }
    }
    return false;
}

/* The youngest, but not what is ready for whoever goes first. */
static struct run *choose_superfluous(const struct pool *pool)
{
    size_t i = pool->parked_count - 1;
    if (pool->common->express.parted &&
        count_beside(pool->parked, pool->parked_count) <= POOL_FIRST_READY) {
        while (i > 0 && !pool->parked[i]->sandbox.cgroup.stands_back) {
            i--;
        }
    }
    return pool->parked[i];
}

static void keep_parked(struct pool *pool, size_t count)
{
    while (pool->parked_count > count) {
        struct run *run = choose_superfluous(pool);
        drop(pool->parked, &pool->parked_count, run);
        run_destroy(run);
        pool->changed = true;
    }
}

void pool_set_target(struct pool *pool, uint32_t target)
{
    pool->target = target < POOL_READY_MAX ? target : POOL_READY_MAX;
    keep_parked(pool, pool->target + first_ready(pool));
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
        /* Without the one for whoever goes first. */
        .ready = pool->parked_count < pool->target ? (uint32_t)pool->parked_count : pool->target,
        .made = pool->made,
        .taken = pool->taken,
        .zygotes = pool->zygotes,
        .zygotes_dead = pool->dead,
        .failures = pool->failures,
        .held_bytes = pool->nest != NULL ? pool->nest->zygote.held_bytes : 0,
        .error = pool->error,
    };
    wire_send(&pool->common->wire, &state, sizeof(state), NULL, 0);
    return -1;
}

void pool_destroy(struct pool *pool)
{
    start_waiting_anew(pool);
    while (pool->making_count > 0) {
        run_destroy(pool->making[--pool->making_count]);
    }
    keep_parked(pool, 0);
    pool_nest_leave(pool);
    if (pool->timer >= 0) {
        watch_end(pool->common->epoll, pool->timer);
        (void)close(pool->timer); /* a timer */
    }
    fd_close(&pool->pack);
    free(pool);
}
