/*
 * Stages: see stage.h.
 *
 * How it works: the keeper answers CREATE with the ends of four pipes, which are read and written
 * as epoll says.  ENDED comes when every process of the sandbox is dead, so what is in the pipes
 * then is all that will ever be: it is read, and only then the supervisor is told of the end.  So
 * the outcome is decided once, by everything that there is to know.
 */
#include "engine/stage.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Reads of one pipe before others have their turn. */
#define READS_IN_TURN 16

/* Reads of one pipe after the end; its writers are dead, so this only bounds the unthinkable. */
#define READS_AT_END 4096

enum progress { PROGRESS_MORE, PROGRESS_WAIT, PROGRESS_CLOSED };

static void finish(struct stage *stage);

void stage_init(struct stage *stage, struct cella_run *run, struct result_stage *outcome)
{
    *stage = (struct stage){
        .run = run,
        .pack = {.fd = -1},
        .outcome = outcome,
        .sealed_pack = -1,
    };
    for (size_t i = 0; i < KEEPER_STREAMS; i++) {
        stage->streams[i] = -1;
        stage->sources[i] = (struct stage_source){stage, (enum keeper_stream)i};
    }
}

static struct cella_engine *engine_of(const struct stage *stage)
{
    return stage->run->engine;
}

static int watch(struct stage *stage, enum keeper_stream stream, uint32_t events,
                 struct cella_error *err)
{
    struct epoll_event event = {.events = events, .data.ptr = &stage->sources[stream]};
    if (epoll_ctl(engine_of(stage)->epoll_fd, EPOLL_CTL_ADD, stage->streams[stream], &event) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot watch a pipe");
    }
    stage->watched[stream] = true;
    return 0;
}

/* Needed before a close as well: while another process still has a copy of the pipe's end, closing
 * ours alone would leave it in the set. */
static void unwatch(struct stage *stage, enum keeper_stream stream)
{
    if (stage->watched[stream]) {
        /* Cannot fail for a descriptor that is in the set. */
        IGNORE(epoll_ctl(engine_of(stage)->epoll_fd, EPOLL_CTL_DEL, stage->streams[stream], NULL) <
               0);
        stage->watched[stream] = false;
    }
}

static void close_stream(struct stage *stage, enum keeper_stream stream)
{
    if (stage->streams[stream] < 0) {
        return;
    }
    unwatch(stage, stream);
    fd_close(&stage->streams[stream]);
}

void stage_done(struct stage *stage)
{
    admission_leave(stage);
    warm_ended(stage);
    for (size_t i = 0; i < KEEPER_STREAMS; i++) {
        close_stream(stage, (enum keeper_stream)i);
    }
    fd_close(&stage->sealed_pack);
    pack_writer_done(&stage->pack);
    feed_done(&stage->feed);
    collect_done(&stage->collect);
    free(stage->plan);
    stage->plan = NULL;
}

uint64_t stage_elapsed_us(const struct stage *stage)
{
    return stage->started_us == 0 ? 0 : clock_monotonic_us() - stage->started_us;
}

/* ---- the way out ---- */

void stage_wait(struct stage *stage)
{
    supervise_init(&stage->supervise, stage->plan->stop_on_output != 0);
    stage->waited_us = clock_monotonic_us();
    admission_enter(stage);
}

int stage_begin(struct stage *stage, struct cella_error *err)
{
    const uint64_t *limit = stage->plan->limits.value;
    if (pack_writer_seal(&stage->pack, &stage->sealed_pack, err) < 0) {
        return -1;
    }
    pack_writer_done(&stage->pack);
    buffer_init(&stage->outcome->streams[RESULT_STDOUT].kept, limit[LIMIT_STDOUT]);
    buffer_init(&stage->outcome->streams[RESULT_STDERR].kept, limit[LIMIT_STDERR]);
    collect_init(&stage->collect, limit[LIMIT_COLLECT_BYTES], limit[LIMIT_COLLECT_FILES]);
    stage->begun_us = clock_monotonic_us();
    stage->number = ++engine_of(stage)->last_number;
    warm_began(stage);
    stage->turn = admission_turn(stage);
    stage->create_pending = true;
    engine_send(engine_of(stage), stage);
    run_begun(stage->run);
    return 0;
}

/* Tells the supervisor, and the keeper when that is what the supervisor wants. */
static void happened(struct stage *stage, enum supervise_event event, uint32_t detail)
{
    if (supervise_event(&stage->supervise, event, detail) && !stage->has_ended) {
        stage->stop_pending = true;
        engine_send(engine_of(stage), stage);
    }
}

static void remember_error(struct stage *stage, const struct cella_error *error)
{
    struct cella_error *first = &stage->run->result.data->error;
    if (first->kind == CELLA_ERROR_NONE) {
        *first = *error;
    }
}

/* We cannot go on with it. */
static void fail(struct stage *stage, const struct cella_error *error)
{
    remember_error(stage, error);
    happened(stage, SUPERVISE_FAILED, error->kind);
}

void stage_cancel(struct stage *stage)
{
    if (stage->place.state == SCHED_WAITING) {
        /* There is no sandbox whose end would tell of it. */
        IGNORE(supervise_event(&stage->supervise, SUPERVISE_CANCEL, 0));
        admission_leave(stage);
        stage->given_up = true;
        admission_wake(engine_of(stage));
    } else {
        happened(stage, SUPERVISE_CANCEL, 0);
    }
}

void stage_give_up(struct stage *stage)
{
    stage->given_up = false;
    happened(stage, SUPERVISE_REFUSED, 0); /* the cause stands already */
    finish(stage);
}

/* ---- output ---- */

static void drop_output(struct stage *stage, enum result_stream stream, size_t size)
{
    struct result_stream_data *data = &stage->outcome->streams[stream];
    data->total_bytes += size;
    if (!data->truncated) {
        data->truncated = true;
        happened(stage, stream == RESULT_STDOUT ? SUPERVISE_STDOUT_LIMIT : SUPERVISE_STDERR_LIMIT,
                 0);
    }
}

static void keep_output(struct stage *stage, enum result_stream stream, size_t size)
{
    struct result_stream_data *data = &stage->outcome->streams[stream];
    size_t offset = data->kept.size;
    buffer_commit(&data->kept, size);
    data->total_bytes += size;
    /* Bit by bit: of a hundred megabytes at the end it would take long. */
    data->valid_bytes +=
        utf8_valid_prefix(data->kept.data + data->valid_bytes, data->kept.size - data->valid_bytes);
    run_output(stage->run, stream, offset, size);
}

/* Collected files come by their own pipe; when they are malformed the rest of them is of no use. */
static void add_collected(struct stage *stage, const char *bytes, size_t size)
{
    struct cella_error error;
    if (collect_add(&stage->collect, bytes, size, &error) < 0) {
        fail(stage, &error);
        close_stream(stage, KEEPER_COLLECTED);
    }
}

/* Where the next bytes go: directly to those that are kept, else to the scratch. */
static char *room_for_output(struct stage *stage, enum keeper_stream stream, size_t *ret_size)
{
    char *scratch = engine_of(stage)->scratch;
    *ret_size = ENGINE_READ_SIZE;
    if (stream == KEEPER_COLLECTED) {
        return scratch;
    }
    struct buffer *kept = &stage->outcome->streams[stream - KEEPER_STDOUT].kept;
    size_t room = kept->max - kept->size;
    if (room == 0) {
        return scratch;
    }
    size_t size = room < ENGINE_READ_SIZE ? room : ENGINE_READ_SIZE;
    char *place = buffer_reserve(kept, size);
    if (place == NULL) {
        struct cella_error error;
        error_set_memory(&error);
        fail(stage, &error);
        return scratch;
    }
    *ret_size = size;
    return place;
}

static enum progress read_once(struct stage *stage, enum keeper_stream stream)
{
    size_t size;
    char *room = room_for_output(stage, stream, &size);
    ssize_t got = read(stage->streams[stream], room, size);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return errno == EINTR ? PROGRESS_MORE : PROGRESS_WAIT;
    }
    if (got <= 0) {
        close_stream(stage, stream);
        return PROGRESS_CLOSED;
    }
    if (stream == KEEPER_COLLECTED) {
        add_collected(stage, room, (size_t)got);
    } else if (room == engine_of(stage)->scratch) {
        drop_output(stage, (enum result_stream)(stream - KEEPER_STDOUT), (size_t)got);
    } else {
        keep_output(stage, (enum result_stream)(stream - KEEPER_STDOUT), (size_t)got);
    }
    return stage->streams[stream] < 0 ? PROGRESS_CLOSED : PROGRESS_MORE;
}

static void read_stream(struct stage *stage, enum keeper_stream stream, unsigned reads)
{
    enum progress progress = stage->streams[stream] < 0 ? PROGRESS_CLOSED : PROGRESS_MORE;
    for (unsigned i = 0; i < reads && progress == PROGRESS_MORE; i++) {
        progress = read_once(stage, stream);
    }
}

/* ---- input ---- */

void stage_feed(struct stage *stage)
{
    if (stage->streams[KEEPER_STDIN] < 0) {
        return; /* not yet, or no more */
    }
    struct cella_error error;
    switch (feed_flush(&stage->feed, stage->streams[KEEPER_STDIN])) {
    case FEED_IDLE:
        unwatch(stage, KEEPER_STDIN);
        break;
    case FEED_WAITING:
        if (!stage->watched[KEEPER_STDIN] && watch(stage, KEEPER_STDIN, EPOLLOUT, &error) < 0) {
            fail(stage, &error);
        }
        break;
    case FEED_ENDED:
        close_stream(stage, KEEPER_STDIN);
        break;
    }
}

void stage_stream_ready(struct stage *stage, enum keeper_stream stream)
{
    if (stream == KEEPER_STDIN) {
        stage_feed(stage);
    } else {
        read_stream(stage, stream, READS_IN_TURN);
    }
}

/* ---- frames ---- */

static int take_streams(struct stage *stage, struct keeper_message *message,
                        struct cella_error *err)
{
    if (message->streams[0] < 0) {
        return error_set(err, CELLA_ERROR_HOST, EMFILE, "no room for the pipes of a run");
    }
    for (size_t i = 0; i < KEEPER_STREAMS; i++) {
        stage->streams[i] = take_fd(&message->streams[i]);
        /* A pipe's ends are files of their own: the program's ends go on blocking. */
        if (fcntl(stage->streams[i], F_SETFL, O_NONBLOCK) < 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot set the mode of a pipe");
        }
        if (i != KEEPER_STDIN && watch(stage, (enum keeper_stream)i, EPOLLIN, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static void on_created(struct stage *stage, struct keeper_message *message)
{
    struct cella_error error;
    if (take_streams(stage, message, &error) < 0) {
        fail(stage, &error);
        return;
    }
    stage_feed(stage);
}

static enum result_mechanism mechanism_of(uint32_t mechanism)
{
    switch ((enum keeper_mechanism)mechanism) {
    case KEEPER_BY_CGROUP_V2:
        return RESULT_BY_CGROUP_V2;
    case KEEPER_BY_CGROUP_V1:
        return RESULT_BY_CGROUP_V1;
    case KEEPER_BY_SUPERVISION:
        break;
    }
    return RESULT_BY_SUPERVISION;
}

static void on_started(struct stage *stage, const struct keeper_started *started)
{
    struct result *result = stage->run->result.data;
    stage->started_us = clock_monotonic_us();
    result->protections = started->protections;
    result->mechanism = mechanism_of(started->mechanism);
    result->has_shares = plan_writable_count(stage->plan) > 0;
    result->warm = started->warm != 0;
    if (result->started_at_ms == 0) {
        result->started_at_ms = clock_realtime_ms();
    }
    happened(stage, SUPERVISE_STARTED, 0);
    engine_send(engine_of(stage), stage); /* what it was to be told */
}

void stage_refuse(struct stage *stage, const struct cella_error *error)
{
    remember_error(stage, error);
    happened(stage, SUPERVISE_REFUSED, error->kind);
    finish(stage);
}

static void on_refused(struct stage *stage, const struct keeper_refused *refused)
{
    struct cella_error error = refused->error;
    if (refused->step[0] != '\0' && error.kind >= CELLA_ERROR_HOST) {
        /* Whoever must act has to know where; cut when it does not fit. */
        error_set(&error, refused->error.kind, 0, "set-up step '%s' failed: %s", refused->step,
                  refused->error.text);
        error.sys_errno = refused->error.sys_errno;
        error_set_hint(&error, "%s", refused->error.hint);
    }
    stage_refuse(stage, &error);
}

/* Init says PACK_END last of all; without it files may be missing that nobody speaks of. */
static void check_collected(struct stage *stage)
{
    struct cella_error error;
    bool by_itself = stage->supervise.cause == STATUS_COUNT && stage->ended.init_lost == 0;
    if (by_itself && stage->collect.state != COLLECT_COMPLETE) {
        error_set(&error, CELLA_ERROR_BUG, 0, "the collected files were cut short");
        fail(stage, &error);
    }
}

static void on_ended(struct stage *stage, const struct keeper_ended *ended)
{
    stage->ended = *ended;
    stage->has_ended = true;
    for (int stream = KEEPER_STDOUT; stream < KEEPER_STREAMS; stream++) {
        read_stream(stage, (enum keeper_stream)stream, READS_AT_END);
    }
    check_collected(stage);
    happened(stage, SUPERVISE_ENDED, 0);
    finish(stage);
}

void stage_message(struct stage *stage, struct keeper_message *message)
{
    if (stage->supervise.state == SUPERVISE_DONE) {
        return;
    }
    switch ((enum keeper_frame_type)message->frame.header.type) {
    case KEEPER_CREATED:
        if (!stage->created) {
            stage->created = true;
            on_created(stage, message);
        }
        break;
    case KEEPER_STARTED:
        on_started(stage, &message->frame.started);
        break;
    case KEEPER_NOTICE:
        happened(stage, SUPERVISE_NOTICE, message->frame.notice.cause);
        break;
    case KEEPER_REFUSED:
        on_refused(stage, &message->frame.refused);
        break;
    case KEEPER_ENDED:
        on_ended(stage, &message->frame.ended);
        break;
    case KEEPER_CREATE:
    case KEEPER_STOP:
    case KEEPER_POOL:
    case KEEPER_POOL_STATE: /* a pool's */
    case KEEPER_PING:
    case KEEPER_TELL:
    case KEEPER_PONG:  /* the keeper's own */
    case KEEPER_HELLO: /* the client lets none of them through */
        assert(false);
    }
}

void stage_keeper_lost(struct stage *stage, const struct cella_error *error)
{
    if (stage->supervise.state == SUPERVISE_DONE) {
        return;
    }
    remember_error(stage, error);
    /* What the program has written so far is kept; that nobody writes any more is not known. */
    for (int stream = KEEPER_STDOUT; stream < KEEPER_STREAMS; stream++) {
        read_stream(stage, (enum keeper_stream)stream, READS_IN_TURN);
    }
    happened(stage, SUPERVISE_KEEPER_LOST, 0);
    finish(stage);
}

/* ---- the end ---- */

/* The outcome is decided; its files stay here until the run takes them. */
static void finish(struct stage *stage)
{
    const struct cella_error *error = &stage->run->result.data->error;
    struct result_stage *outcome = stage->outcome;
    for (size_t i = 0; i < KEEPER_STREAMS; i++) {
        close_stream(stage, (enum keeper_stream)i);
    }
    fd_close(&stage->sealed_pack);
    stage->create_pending = false;
    stage->stop_pending = false;
    stage->given_up = false;
    admission_leave(stage);
    warm_ended(stage);
    supervise_outcome(&stage->supervise, stage->has_ended ? &stage->ended : NULL,
                      &stage->plan->limits, outcome);
    bool ours = outcome->status == STATUS_INTERNAL || outcome->status == STATUS_REFUSED;
    if (ours && error->kind != CELLA_ERROR_NONE) {
        (void)snprintf(outcome->message, sizeof(outcome->message), "%s", error->text);
    }
    stage->ended_us = clock_monotonic_us();
    run_stage_done(stage->run);
}
