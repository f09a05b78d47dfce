/*
 * The part of execute_sessions.h that is about one session.
 *
 * How it works.  Its program is ipython.py, which says how a cell is told to it and how it tells
 * that one has ended: by a mark with a word that was made for this cell, on both streams.  What
 * comes before the marks is what the call has printed; what comes later, from a process that it has
 * left behind, is the next one's.  Nothing else that comes from there is read.
 *
 *   WAITING ──▶ STARTING ──▶ READY ──▶ ENDING
 *   for others   its run is   with a   its run is
 *   to end       to be ready  cell, or told to end
 *                             idle
 */
#include "front/serve/contracts/execute_sessions_inside.h"

#include "base/clock.h"
#include "base/hex.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/log.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"

#include <assert.h>
#include <cella/wire.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* From the first room on the host until it takes cells. */
#define START_MS 30000U

/* "\x1e", the word, '1' or '0', "\n" */
#define MARK_SIZE (1 + EXECUTE_WORD_DIGITS + 2)
#define NO_MARK   SIZE_MAX

/* ---- answers ---- */

/* Its first cell, which is in no session any more.  NULL: it has none. */
static struct execute_cell *take_first(struct session *session)
{
    struct execute_cell *cell = STAILQ_FIRST(&session->cells);
    if (cell == NULL) {
        return NULL;
    }
    STAILQ_REMOVE_HEAD(&session->cells, link);
    session->cell_count--;
    session->server->execute_sessions->bytes -= cell->bytes;
    if (cell->exchange != NULL) {
        exchange_forget(cell->exchange);
    }
    return cell;
}

void session_destroy_cell(struct execute_cell *cell)
{
    execute_texts_done(&cell->texts);
    buffer_done(&cell->frame);
    free(cell);
}

static void answer(struct execute_cell *cell, enum execute_end end,
                   const struct execute_output *output, const char *note)
{
    struct buffer body;
    if (cell->exchange != NULL) {
        const int written = execute_cell_write(end, output, note, &cell->call, &body);
        contract_answer(cell->exchange, 200, &body, written < 0);
    }
    session_destroy_cell(cell);
}

static void refuse(struct execute_cell *cell, const struct cella_error *error)
{
    if (cell->exchange != NULL) {
        answer_problem(cell->exchange, 0, error);
    }
    session_destroy_cell(cell);
}

static void remove_session(struct session *session)
{
    TAILQ_REMOVE(&session->server->execute_sessions->list, session, link);
    free(session);
}

/* Of one that has no run. */
static void give_up(struct session *session, const struct cella_error *error)
{
    struct execute_cell *cell;
    session->state = SESSION_ENDING;
    while ((cell = take_first(session)) != NULL) {
        refuse(cell, error);
    }
    remove_session(session);
}

/* ---- the end ---- */

void session_end(struct session *session, const char *why)
{
    session->state = SESSION_ENDING;
    session->why = why;
    if (session->job == NULL) {
        execute_sessions_wake(session->server); /* it goes then */
        return;
    }
    log_line("the session %s ends: %s", cella_run_id(job_run(session->job)), why);
    cella_run_cancel(job_run(session->job)); /* on_done() follows */
}

static void fail(struct session *session, enum cella_error_kind kind, const char *text)
{
    (void)serve_fail(&session->failure, kind, "%s", text);
    session_end(session, text);
}

/* What of a stream is the cell's that was not marked. */
static struct execute_output rest_of(const struct session *session)
{
    struct execute_output rest;
    for (enum cella_stream i = CELLA_STDOUT; i <= CELLA_STDERR; i++) {
        const size_t from = session->streams[i].from;
        const char *data = cella_run_output(job_run(session->job), i, &rest.size[i]);
        rest.data[i] = data != NULL ? data + from : "";
        rest.size[i] = data != NULL ? rest.size[i] - from : 0;
    }
    return rest;
}

static void tell_end(struct session *session, const struct cella_result *result)
{
    static const struct execute_output nothing = {{"", ""}, {0, 0}};
    const struct execute_output rest = rest_of(session);
    char note[512];
    bool is_first = true; /* what it was about; those behind it were not begun */
    struct execute_cell *cell;
    while ((cell = take_first(session)) != NULL) {
        cell->call.is_new = true; /* there is nothing left of what was */
        (void)snprintf(note, sizeof(note), "%s%s; the session has ended, and what it held is gone",
                       is_first ? "" : "not run: ",
                       session->why != NULL ? session->why : cella_result_message(result));
        if (is_first && session->is_late) {
            answer(cell, EXECUTE_TIMEOUT, &rest, NULL);
        } else {
            answer(cell, EXECUTE_ERROR, is_first ? &rest : &nothing, note);
        }
        is_first = false;
    }
}

static void on_done(void *context, const struct cella_result *result)
{
    struct session *session = context;
    struct server *server = session->server;
    struct execute_sessions *all = server->execute_sessions;
    const struct cella_error *error =
        session->failure.kind != CELLA_ERROR_NONE ? &session->failure : cella_result_error(result);
    struct execute_cell *cell;
    session->state = SESSION_ENDING;
    all->is_busy = true;
    while (error->kind != CELLA_ERROR_NONE && (cell = take_first(session)) != NULL) {
        refuse(cell, error);
    }
    tell_end(session, result);
    all->is_busy = false;
    job_destroy(session->job);
    remove_session(session);
    execute_sessions_wake(server); /* there is room for others */
    server_settle(server);
}

/* ---- the beginning ---- */

static int make_word(char ret_word[EXECUTE_WORD_DIGITS + 1], struct cella_error *err)
{
    uint8_t bytes[EXECUTE_WORD_DIGITS / 2];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "the kernel gives no random numbers");
    }
    hex_write(bytes, sizeof(bytes), ret_word);
    return 0;
}

/* Its first mark is that of a cell that nobody has sent. */
static int start(struct session *session, const struct exchange *exchange, struct cella_error *err)
{
    const struct job_owner owner = {
        .done = on_done, .context = session, .tenant = exchange->tenant, .writes = true};
    struct cella_request *request;
    struct buffer json;
    if (make_word(session->word, err) < 0) {
        return -1;
    }
    buffer_init(&json, 0);
    int result =
        execute_session_write(session->policy_name, &session->limits, session->word, &json);
    if (result < 0) {
        (void)serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    } else {
        record_init(&session->record, session->record.tenant, &exchange->trace, json.data,
                    json.size);
        result = cella_request_parse(json.data, json.size, &request, err);
    }
    if (result == 0) {
        result = job_start_part(session->server, &owner, &session->record, request, NULL,
                                &session->job, err);
    }
    buffer_done(&json);
    return result;
}

/* In the place of one that is idle, where there is no other.  It waits until that has ended. */
static void begin(struct session *session)
{
    const struct execute_sessions *all = session->server->execute_sessions;
    struct exchange *exchange = STAILQ_FIRST(&session->cells)->exchange;
    struct cella_error err;
    bool is_own = false;
    const bool must_wait = sessions_are_full(session, exchange, &is_own);
    if (must_wait && sessions_any_ending(all)) {
        return;
    }
    struct session *idle = must_wait ? sessions_find_idle(all, session->record.tenant) : NULL;
    if (must_wait && idle == NULL && !is_own) {
        idle = sessions_find_idle(all, NULL);
    }
    if (idle != NULL) {
        session_end(idle, "its place is needed for another session");
        return;
    }
    if (job_check(exchange, 0, &err) < 0) {
        give_up(session, &err);
        return;
    }
    if (must_wait) {
        (void)serve_fail(&err, CELLA_ERROR_BUSY,
                         "there are too many sessions, and all of them work");
        (void)serve_hint(&err, "delete one, or come again when a call has ended");
        give_up(session, &err);
        return;
    }
    if (start(session, exchange, &err) < 0) {
        give_up(session, &err);
        return;
    }
    session->state = SESSION_STARTING;
    session->deadline_ms = clock_monotonic_ms() + session->server->settings->queue_ms;
    log_line("%s is a session of /execute", cella_run_id(job_run(session->job)));
}

/* ---- cells ---- */

static bool has_mark(struct session *session, enum cella_stream which)
{
    struct stream *stream = &session->streams[which];
    char mark[1 + EXECUTE_WORD_DIGITS + 1];
    size_t size;
    const char *data = cella_run_output(job_run(session->job), which, &size);
    if (stream->mark != NO_MARK) {
        return true;
    }
    if (size - stream->scanned < MARK_SIZE) {
        return false;
    }
    (void)snprintf(mark, sizeof(mark), "\x1e%s", session->word);
    const char *found = memmem(data + stream->scanned, size - stream->scanned - 2, mark,
                               sizeof(mark) - 1); /* with the two that are behind */
    if (found == NULL) {
        stream->scanned = size - (MARK_SIZE - 1);
        return false;
    }
    stream->mark = (size_t)(found - data);
    return true;
}

static bool has_marks(struct session *session)
{
    const bool has_stdout = has_mark(session, CELLA_STDOUT);
    return has_mark(session, CELLA_STDERR) && has_stdout;
}

/* Behind the marks. */
static void skip_marks(struct session *session)
{
    for (size_t i = 0; i < ARRAY_LENGTH(session->streams); i++) {
        struct stream *stream = &session->streams[i];
        stream->from = stream->scanned = stream->mark + MARK_SIZE;
        stream->mark = NO_MARK;
    }
}

static int make_frame(const struct session *session, struct execute_cell *cell)
{
    struct buffer *frame = &cell->frame;
    const struct execute_texts *texts = &cell->texts;
    return buffer_add_format(frame, "%s %s %u %zu %zu\n", session->word, cell->call.verbosity,
                             session->interrupts, texts->code.size, texts->input.size) < 0 ||
                   buffer_add(frame, texts->code.data, texts->code.size) < 0 ||
                   buffer_add(frame, texts->input.data, texts->input.size) < 0
               ? -1
               : 0;
}

/* True when its program has, or will have, all of it. */
static bool feed(struct session *session, struct execute_cell *cell)
{
    struct cella_error err;
    const size_t left = cell->frame.size - cell->fed;
    size_t taken = 0;
    if (left > 0 && cella_run_write_stdin(job_run(session->job), cell->frame.data + cell->fed, left,
                                          &taken, &err) < 0) {
        taken = left; /* it has ended, which is told */
    }
    cell->fed += taken;
    return cell->fed == cell->frame.size;
}

/* The next cell, or none. */
static void send_next(struct session *session)
{
    struct execute_cell *cell = STAILQ_FIRST(&session->cells);
    session->used_ms = clock_monotonic_ms();
    session->used_unix_ms = clock_realtime_ms();
    if (cell == NULL) {
        session->deadline_ms = session->used_ms;
        if (session->server->state != SERVER_DRAINING) { /* which waits for nobody */
            session->deadline_ms += session->server->settings->session_idle_ms;
        }
        return;
    }
    if (make_word(session->word, &session->failure) < 0) {
        session_end(session, session->failure.text);
        return;
    }
    if (make_frame(session, cell) < 0) {
        fail(session, CELLA_ERROR_HOST, "memory is short");
        return;
    }
    execute_texts_done(&cell->texts);
    cell->is_sent = true;
    if (cell->exchange != NULL) {
        (void)snprintf(cell->exchange->run_id, sizeof(cell->exchange->run_id), "%s",
                       cella_run_id(job_run(session->job)));
    }
    session->is_interrupted = false;
    session->deadline_ms = session->used_ms + (uint64_t)(cell->call.wall_ms + 1);
    (void)feed(session, cell);
}

static void finish(struct session *session)
{
    struct execute_output output;
    for (enum cella_stream i = CELLA_STDOUT; i <= CELLA_STDERR; i++) {
        const struct stream *stream = &session->streams[i];
        size_t size;
        output.data[i] = cella_run_output(job_run(session->job), i, &size) + stream->from;
        output.size[i] = stream->mark - stream->from;
    }
    const bool good =
        output.data[CELLA_STDOUT][output.size[CELLA_STDOUT] + 1 + EXECUTE_WORD_DIGITS] == '1';
    const enum execute_end end = session->is_interrupted ? EXECUTE_TIMEOUT
                                 : good                  ? EXECUTE_COMPLETED
                                                         : EXECUTE_ERROR;
    skip_marks(session);
    struct execute_cell *cell = take_first(session);
    assert(cell != NULL); /* that has ended */
    answer(cell, end, &output, NULL);
    send_next(session);
}

/* Its cell has had its time. */
static void interrupt(struct session *session)
{
    struct cella_error err;
    if (session->is_interrupted || cella_run_signal(job_run(session->job), SIGINT, &err) < 0) {
        session->is_late = true;
        session_end(session, "a call did not end in its time");
        return;
    }
    session->is_interrupted = true;
    session->interrupts++;
    session->deadline_ms = clock_monotonic_ms() + EXECUTE_GRACE_MS;
}

/* ---- going on ---- */

static void go_on_starting(struct session *session)
{
    const uint64_t now = clock_monotonic_ms();
    if (!session->has_begun && job_has_begun(session->job)) {
        session->has_begun = true;
        session->deadline_ms = now + START_MS;
        session->end_ms = now + (uint64_t)session->limits.wall_ms;
    }
    if (STAILQ_EMPTY(&session->cells)) {
        session_end(session, "its client has gone");
    } else if (has_marks(session)) {
        skip_marks(session);
        session->state = SESSION_READY;
        send_next(session);
    } else if (now >= session->deadline_ms && session->has_begun) {
        fail(session, CELLA_ERROR_HOST, "IPython has not started in time");
    } else if (now >= session->deadline_ms) {
        fail(session, CELLA_ERROR_BUSY, "there was no room for the session in time");
    }
}

static void go_on_ready(struct session *session)
{
    struct execute_cell *cell = STAILQ_FIRST(&session->cells);
    const bool is_over = clock_monotonic_ms() >= session->deadline_ms;
    if (cell == NULL) {
        if (session->server->state == SERVER_DRAINING) {
            session_end(session, "the server ends");
        } else if (is_over) {
            session_end(session, "nothing was asked of it for long");
        }
    } else if (!cell->is_sent) {
        send_next(session);
    } else if (feed(session, cell) && has_marks(session)) {
        finish(session);
    } else if (is_over) {
        interrupt(session);
    }
}

void session_go_on(struct session *session)
{
    struct cella_error err;
    switch (session->state) {
    case SESSION_WAITING:
        if (STAILQ_EMPTY(&session->cells)) {
            remove_session(session); /* its client has gone */
        } else if (session->server->state == SERVER_DRAINING) {
            (void)serve_fail(&err, CELLA_ERROR_BUSY, "the server is about to end");
            give_up(session, &err);
        } else if (clock_monotonic_ms() >= session->deadline_ms) {
            (void)serve_fail(&err, CELLA_ERROR_BUSY, "there was no room for the session in time");
            give_up(session, &err);
        } else {
            begin(session);
        }
        return;
    case SESSION_STARTING:
        go_on_starting(session);
        return;
    case SESSION_READY:
        go_on_ready(session);
        return;
    case SESSION_ENDING:
        if (session->job == NULL) {
            (void)serve_fail(&err, CELLA_ERROR_CALLER, "the session has ended: %s", session->why);
            give_up(session, &err);
        }
        return;
    }
}
