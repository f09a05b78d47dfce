/*
 * The engine: see engine.h.
 *
 * Divisions: opening and closing; the step, which is all that ever happens; the keeper's side of
 * it; policies.
 */
#include "engine/engine.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Events handled in one step, and frames of the keeper's in one of them: others must have their
 * turn, and whoever waits on the engine's descriptor comes back at once. */
#define EVENTS_IN_STEP 64
#define FRAMES_IN_TURN 64

static int watch_keeper(struct cella_engine *engine, struct cella_error *err);
static void handle_keeper(struct cella_engine *engine, uint32_t events, bool died);
static void reap_abandoned(struct cella_engine *engine);

/* ---- opening and closing ---- */

int engine_options(const struct cella_options *options, struct cella_options *ret_known,
                   struct cella_error *err)
{
    *ret_known = (struct cella_options){.size = sizeof(*ret_known)};
    if (options == NULL) {
        return 0;
    }
    if (options->size < sizeof(options->size)) {
        error_set(err, CELLA_ERROR_CALLER, 0, "the options have no size");
        return error_set_hint(err, "set .size to sizeof(struct cella_options)");
    }
    /* A caller's older struct has fewer fields. */
    memcpy(ret_known, options,
           options->size < sizeof(*ret_known) ? options->size : sizeof(*ret_known));
    return 0;
}

/* One that the caller has started is ours whatever comes of the rest. */
static int start_keeper(const struct cella_options *options, struct keeper_client **ret_keeper,
                        struct cella_error *err)
{
    char path[PATHS_SIZE];
    if (options->keeper_pid > 0) {
        return keeper_client_adopt(options->keeper_socket, options->keeper_pid, ret_keeper, err);
    }
    if (options->without_keeper) {
        *ret_keeper = NULL;
        return 0;
    }
    if (paths_keeper(options->keeper_path, path, err) < 0) {
        return -1;
    }
    return keeper_client_open(path, ret_keeper, err);
}

static void give_up_keeper(struct cella_engine *engine)
{
    keeper_client_close(engine->keeper);
    engine->keeper = NULL;
    IGNORE(error_set(&engine->lost, CELLA_ERROR_CALLER, 0,
                     "this engine was opened without a keeper, and runs nothing") < 0);
}

static int fill_engine(struct cella_engine *engine, const struct cella_options *options,
                       struct cella_error *err)
{
    if (options->without_keeper) {
        give_up_keeper(engine);
    }
    engine->compile_cache_bytes = compiled_bytes_max(options);
    engine->scratch = malloc(ENGINE_READ_SIZE);
    if (engine->scratch == NULL) {
        return error_set_memory(err);
    }
    engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (engine->epoll_fd < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make an epoll descriptor");
    }
    if (watch_keeper(engine, err) < 0 ||
        admission_init(&engine->admission, options, engine->epoll_fd, &engine->wake_source, err) <
            0 ||
        warm_init(&engine->warm, options, engine->epoll_fd, &engine->warm_source, err) < 0) {
        return -1;
    }
    if (options->policies_dir != NULL) {
        engine->policies_dir = strdup(options->policies_dir);
        if (engine->policies_dir == NULL) {
            return error_set_memory(err);
        }
    }
    return runtime_set_open(options->runtimes_dir, &engine->runtimes, err);
}

int engine_open(const struct cella_options *options, struct cella_engine **ret_engine,
                struct cella_error *err)
{
    struct cella_options known;
    struct keeper_client *keeper;
    /* The keeper first: it makes itself ready while we do the rest. */
    if (engine_options(options, &known, err) < 0 || start_keeper(&known, &keeper, err) < 0) {
        return -1;
    }
    struct cella_engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        keeper_client_close(keeper);
        return error_set_memory(err);
    }
    engine->keeper = keeper;
    engine->epoll_fd = -1;
    engine->admission.wake_fd = -1;
    engine->warm.timer = -1;
    TAILQ_INIT(&engine->runs);
    if (fill_engine(engine, &known, err) < 0) {
        engine_close(engine);
        return -1;
    }
    *ret_engine = engine;
    return 0;
}

void engine_close(struct cella_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    keeper_client_close(engine->keeper); /* with it every sandbox ends */
    struct cella_run *run;
    while ((run = TAILQ_FIRST(&engine->runs)) != NULL) {
        run_destroy(run);
    }
    for (size_t i = 0; i < engine->policy_count; i++) {
        policy_destroy(engine->policies[i].policy);
    }
    runtime_set_close(engine->runtimes);
    free(engine->policies_dir);
    free(engine->scratch);
    admission_done(&engine->admission);
    warm_done(&engine->warm);
    fd_close(&engine->epoll_fd);
    free(engine);
}

/* ---- the step ---- */

static void handle_event(struct cella_engine *engine, const struct epoll_event *event)
{
    const struct stage_source *source = event->data.ptr;
    if (source == &engine->wake_source || source == &engine->warm_source) {
        return; /* the end of the step is what they are for */
    }
    if (source->stage == NULL) {
        handle_keeper(engine, event->events, source == &engine->death_source);
    } else if (source->stage->streams[source->stream] >= 0) { /* not closed by an event before */
        stage_stream_ready(source->stage, source->stream);
    }
}

int engine_step(struct cella_engine *engine, int timeout_ms, struct cella_error *err)
{
    struct epoll_event events[EVENTS_IN_STEP];
    if (engine->stepping) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "the engine is at work: this is a callback");
    }
    int count = epoll_wait(engine->epoll_fd, events, EVENTS_IN_STEP, timeout_ms);
    if (count < 0 && errno != EINTR) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot wait for the runs");
    }
    engine->stepping = true;
    for (int i = 0; i < count; i++) {
        handle_event(engine, &events[i]);
    }
    admission_step(engine);
    warm_step(engine);
    engine->stepping = false;
    reap_abandoned(engine);
    return 0;
}

/* What callbacks gave up while events could still point at it. */
static void reap_abandoned(struct cella_engine *engine)
{
    struct cella_run *next;
    struct cella_run *run = engine->abandoned_count > 0 ? TAILQ_FIRST(&engine->runs) : NULL;
    for (; run != NULL; run = next) {
        next = TAILQ_NEXT(run, link);
        if (run->abandoned && run->done) {
            run_destroy(run);
        }
    }
}

/* ---- the keeper ---- */

static int watch_keeper(struct cella_engine *engine, struct cella_error *err)
{
    if (engine->keeper == NULL) {
        return 0;
    }
    struct epoll_event frames = {.events = EPOLLIN, .data.ptr = &engine->keeper_source};
    struct epoll_event death = {.events = EPOLLIN, .data.ptr = &engine->death_source};
    int socket = keeper_client_socket(engine->keeper);
    int pidfd = keeper_client_pidfd(engine->keeper);
    if (epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, socket, &frames) < 0 ||
        epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, pidfd, &death) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot watch the keeper");
    }
    return 0;
}

/* Looks for room in the keeper's socket as well, or no longer. */
static void set_keeper_full(struct cella_engine *engine, bool full)
{
    if (engine->keeper_full != full) {
        struct epoll_event event = {.events = full ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                    .data.ptr = &engine->keeper_source};
        /* Cannot fail for a descriptor that is in the set. */
        IGNORE(epoll_ctl(engine->epoll_fd, EPOLL_CTL_MOD, keeper_client_socket(engine->keeper),
                         &event) < 0);
        engine->keeper_full = full;
    }
}

void engine_wait_for_room(struct cella_engine *engine)
{
    if (engine->lost.kind == CELLA_ERROR_NONE) {
        set_keeper_full(engine, true);
    }
}

/* Every run ends with the keeper.  Runs that a callback starts now fail at once. */
static void lose_keeper(struct cella_engine *engine, const struct cella_error *error)
{
    if (engine->lost.kind != CELLA_ERROR_NONE) {
        return;
    }
    engine->lost = *error;
    /* Both would be readable for ever. */
    IGNORE(epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, keeper_client_socket(engine->keeper), NULL) <
           0);
    IGNORE(epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, keeper_client_pidfd(engine->keeper), NULL) <
           0);
    for (struct cella_run *run = TAILQ_FIRST(&engine->runs); run != NULL;
         run = TAILQ_NEXT(run, link)) {
        if (!run->done) {
            stage_keeper_lost(run->now, error);
        }
    }
}

static bool send_create(struct cella_engine *engine, struct stage *stage)
{
    struct cella_error error;
    if (stage->create_pending &&
        keeper_client_create(engine->keeper, stage->number, stage->pool, stage->turn, stage->plan,
                             stage->sealed_pack, &error) == 1) {
        stage->create_pending = false;
        fd_close(&stage->sealed_pack);
    }
    return !stage->create_pending;
}

static bool send_stop(struct cella_engine *engine, struct stage *stage)
{
    struct cella_error error;
    if (stage->stop_pending && keeper_client_stop(engine->keeper, stage->number, &error) == 1) {
        stage->stop_pending = false;
    }
    return !stage->stop_pending;
}

static bool send_tell(struct cella_engine *engine, struct stage *stage)
{
    struct cella_error error;
    if (stage->started_us == 0 || (stage->tell.signal == 0 && stage->tell.rows == 0)) {
        return true;
    }
    if (keeper_client_tell(engine->keeper, stage->number, stage->tell.signal, stage->tell.rows,
                           stage->tell.columns, &error) != 1) {
        return false;
    }
    stage->tell.signal = 0;
    stage->tell.rows = 0;
    return true;
}

/* A keeper that is lost takes nothing either; that it is lost shows when it is read from. */
void engine_send(struct cella_engine *engine, struct stage *stage)
{
    if (engine->keeper_full || engine->lost.kind != CELLA_ERROR_NONE) {
        return;
    }
    if (!send_create(engine, stage) || !send_tell(engine, stage) || !send_stop(engine, stage)) {
        set_keeper_full(engine, true);
    }
}

static void send_waiting(struct cella_engine *engine)
{
    set_keeper_full(engine, false);
    for (struct cella_run *run = TAILQ_FIRST(&engine->runs); run != NULL;
         run = TAILQ_NEXT(run, link)) {
        if (!run->done) {
            engine_send(engine, run->now);
        }
    }
}

/* The stage of that number, or NULL when it is one that nobody waits for any more. */
static struct stage *find_stage(struct cella_engine *engine, uint64_t number)
{
    for (struct cella_run *run = TAILQ_FIRST(&engine->runs); run != NULL;
         run = TAILQ_NEXT(run, link)) {
        if (!run->done && run->now->number == number) {
            return run->now;
        }
    }
    return NULL;
}

/* Frames first: what the keeper said before its death counts. */
static void handle_keeper(struct cella_engine *engine, uint32_t events, bool died)
{
    if (engine->lost.kind != CELLA_ERROR_NONE) {
        return; /* the other of its two descriptors, in the same step */
    }
    struct cella_error error;
    struct keeper_message message;
    int received = 1;
    for (unsigned i = 0; i < FRAMES_IN_TURN && received == 1; i++) {
        received = keeper_client_receive(engine->keeper, &message, &error);
        if (received != 1) {
            break;
        }
        if (message.frame.header.type == KEEPER_POOL_STATE) {
            warm_message(engine, &message.frame.pool_state);
            continue;
        }
        if (message.frame.header.type == KEEPER_PONG) {
            engine->pinged = false;
            continue;
        }
        struct stage *stage = find_stage(engine, message.frame.header.run);
        if (stage != NULL) {
            stage_message(stage, &message);
        }
        for (size_t stream = 0; stream < KEEPER_STREAMS; stream++) {
            fd_close(&message.streams[stream]); /* those that nobody took */
        }
    }
    if (received == 0 && died) {
        received = keeper_client_died(engine->keeper, &error);
    }
    if (received < 0) {
        lose_keeper(engine, &error);
    } else if ((events & EPOLLOUT) != 0) {
        send_waiting(engine);
    }
}

/* Where its socket is full it is asked another time: one that hangs keeps it full. */
int engine_ping(struct cella_engine *engine, struct cella_error *err)
{
    if (engine->lost.kind != CELLA_ERROR_NONE) {
        *err = engine->lost;
        return -1;
    }
    if (engine->pinged) {
        return 0;
    }
    if (keeper_client_ping(engine->keeper, err) == 1) {
        engine->pinged = true;
        return 1;
    }
    return 0;
}

/* ---- policies ---- */

/* Whether it still is what its files say; else it is not known any more. */
static bool is_fresh(struct cella_engine *engine, size_t place)
{
    struct policy *known = engine->policies[place].policy;
    struct policy *policy = NULL;
    struct cella_error error;
    const uint64_t now = clock_monotonic_us();
    if (now - engine->policies[place].read_us < ENGINE_POLICY_FRESH_US) {
        return true;
    }
    engine->policies[place].read_us = now;
    const bool same = policy_load(engine->policies_dir, known->name, &policy, &error) == 0 &&
                      strcmp(policy->digest, known->digest) == 0;
    policy_destroy(policy);
    if (!same) {
        policy_destroy(known);
        engine->policies[place] = engine->policies[--engine->policy_count];
    }
    return same;
}

int engine_policy(struct cella_engine *engine, const char *name, const struct policy **ret_policy,
                  struct policy **ret_owned, struct cella_error *err)
{
    for (size_t i = 0; i < engine->policy_count; i++) {
        if (strcmp(engine->policies[i].policy->name, name) == 0 && is_fresh(engine, i)) {
            *ret_policy = engine->policies[i].policy;
            return 0;
        }
    }
    struct policy *policy;
    if (policy_load(engine->policies_dir, name, &policy, err) < 0) {
        return -1;
    }
    if (engine->policy_count < ENGINE_POLICIES_MAX) {
        engine->policies[engine->policy_count].policy = policy;
        engine->policies[engine->policy_count++].read_us = clock_monotonic_us();
    } else {
        *ret_owned = policy;
    }
    *ret_policy = policy;
    return 0;
}
