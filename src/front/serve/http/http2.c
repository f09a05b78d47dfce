/* See http2.h.  Divisions: what comes in; what goes out; time. */
#include "front/serve/http/http2.h"

#include "base/attributes.h"
#include "base/clock.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/http.h"
#include "front/serve/http/http2_head.h"
#include "front/serve/log.h"

#include <ctype.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How much of bodies a client may send before it hears of it: of one stream, and of all. */
#define STREAM_WINDOW     (1 << 20)
#define CONNECTION_WINDOW (8 << 20)
/* Frames sent in one turn at most: others want theirs too. */
#define FRAMES_IN_TURN 16U
/* Frames that wait to be sent, those with data not counted: over that nothing is read which would
 * be answered by more of them. */
#define QUEUE_MAX 1000U
/* Requests that are handled in one turn at most: each may begin a run. */
#define HANDLED_IN_TURN 8U
/* How often it is looked whether a stream has taken too long. */
#define TICK_MS 1000U
/* Header fields of an answer. */
#define FIELDS_MAX 24U

struct http2 {
    nghttp2_session *session;
    const uint8_t *out; /* the session's: it must be sent before anything else */
    size_t out_size;
    bool is_reading; /* the session is at work, and must not be asked to send */
    bool has_closed; /* a stream, whose exchange is still there */
};

static const struct protocol http2_protocol;

static struct exchange *exchange_of(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

static nghttp2_nv field(const char *name, size_t name_size, const char *value, size_t value_size)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name, /* copied */
                        .namelen = name_size,
                        .value = (uint8_t *)(uintptr_t)value,
                        .valuelen = value_size,
                        .flags = NGHTTP2_NV_FLAG_NONE};
}

static void flush(struct connection *connection);

/* ---- what comes in ---- */

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    struct exchange *exchange = exchange_create(context);
    if (exchange == NULL) { /* the client knows then that it may ask again */
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                         NGHTTP2_REFUSED_STREAM);
    }
    exchange->stream = frame->hd.stream_id;
    return nghttp2_session_set_stream_user_data(session, exchange->stream, exchange);
}

/* As a line "name: value"; the session has seen to it that neither has a line's end in it, and that
 * the pseudo header fields, whose names begin with a colon, come first and once. */
static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                    void *context)
{
    struct exchange *exchange = exchange_of(session, frame->hd.stream_id);
    (void)flags;
    (void)context;
    if (exchange != NULL && exchange->state == EXCHANGE_HEAD) {
        http2_append(exchange, name, name_size);
        http2_append(exchange, ": ", 2);
        http2_append(exchange, value, value_size);
        http2_append(exchange, "\r\n", 2);
    }
    return 0;
}

static void set_whole(struct exchange *exchange)
{
    exchange->state = EXCHANGE_WORKING;
    exchange->is_whole = true;
}

/* All of it has come.  `is_all`: there is no body. */
static void take_head(nghttp2_session *session, struct exchange *exchange, bool is_all)
{
    struct http_refusal refusal = {431, "the request's head is too large"};
    struct cella_error error;
    if (exchange->in_size == HTTP_HEAD_MAX || http2_rewrite_head(exchange) < 0 ||
        exchange->in_size == HTTP_HEAD_MAX ||
        http_parse_head(exchange->in, exchange->in_size, &exchange->head, &refusal) < 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "%s", refusal.text);
        answer_problem(exchange, refusal.status, &error);
        return;
    }
    exchange->head.has_body = !is_all;
    if (exchange_check(exchange) < 0) {
        return; /* it is answered */
    }
    if (is_all) {
        set_whole(exchange);
    } else if (exchange->head.expects_continue) {
        const nghttp2_nv go_on = field(":status", 7, "100", 3);
        /* Without memory for it the client waits in vain, but not for ever. */
        IGNORE(nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, exchange->stream, NULL, &go_on, 1,
                                      NULL) != 0);
    }
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t size, void *context)
{
    struct exchange *exchange = exchange_of(session, stream);
    (void)flags;
    (void)context;
    if (exchange == NULL || exchange->state != EXCHANGE_BODY) {
        return 0; /* it is answered already */
    }
    char *end = exchange_reserve(exchange, size);
    if (end != NULL) {
        memcpy(end, data, size);
        IGNORE(exchange_extend(exchange, size) < 0); /* that is answered */
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct exchange *exchange = exchange_of(session, frame->hd.stream_id);
    const bool is_all = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    (void)context;
    if (exchange == NULL || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)) {
        return 0;
    }
    if (exchange->state == EXCHANGE_HEAD) {
        take_head(session, exchange, is_all);
    } else if (exchange->state == EXCHANGE_BODY && is_all) {
        set_whole(exchange);
    }
    return 0;
}

/* Whoever has answered may still work with the exchange: it goes when the loop calls again. */
static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *context)
{
    struct connection *connection = context;
    struct http2 *http2 = connection->session;
    struct exchange *exchange = exchange_of(session, stream);
    (void)code;
    if (exchange != NULL) {
        exchange->is_over = true;
        http2->has_closed = true;
        loop_want_room(connection->watch);
    }
    return 0;
}

static void remove_closed(struct connection *connection)
{
    struct http2 *http2 = connection->session;
    struct exchange *exchange = TAILQ_FIRST(&connection->exchanges);
    if (!http2->has_closed) {
        return;
    }
    http2->has_closed = false;
    while (exchange != NULL) {
        struct exchange *next = TAILQ_NEXT(exchange, link);
        if (exchange->is_over) {
            exchange_destroy(exchange);
        }
        exchange = next;
    }
    server_settle(connection->server);
}

/* Those that are whole, the oldest first; what is left, in the next turn. */
static void handle_some(struct connection *connection)
{
    struct exchange *exchange = NULL;
    unsigned left = HANDLED_IN_TURN;
    TAILQ_FOREACH(exchange, &connection->exchanges, link)
    {
        if (!exchange->is_whole || exchange->is_over || connection->is_ending) {
            continue;
        }
        if (left == 0) {
            loop_want_room(connection->watch);
            return;
        }
        left--;
        exchange->is_whole = false;
        exchange_handle(exchange);
    }
}

static void set_idle(struct connection *connection)
{
    const bool is_idle = TAILQ_EMPTY(&connection->exchanges);
    if (is_idle != connection->is_idle && !connection->is_ending) {
        connection_set_idle(connection, is_idle);
        loop_set_timer(connection->watch, is_idle ? CONNECTION_IDLE_MS : TICK_MS);
    }
}

static void received(struct connection *connection, const char *data, size_t size)
{
    struct http2 *http2 = connection->session;
    http2->is_reading = true;
    const ssize_t taken = nghttp2_session_mem_recv(http2->session, (const uint8_t *)data, size);
    http2->is_reading = false;
    if (taken < 0) { /* what is no HTTP/2; of what is but wrong it tells the client */
        connection_give_up(connection);
        return;
    }
    handle_some(connection);
    flush(connection);
    remove_closed(connection);
    set_idle(connection);
}

/* ---- what goes out ---- */

static ssize_t give_body(nghttp2_session *session, int32_t stream, uint8_t *data, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct exchange *exchange = source->ptr;
    struct answer *answer = &exchange->answer;
    (void)session;
    (void)stream;
    (void)context;
    if (answer->has_pieces && answer->sent == answer->body_size) {
        if (!exchange_next_piece(exchange)) {
            if (answer->is_broken) {
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* the stream is reset */
            }
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            return 0;
        }
        if (answer->body_size == 0) {
            exchange->waits = true;
            exchange->uptake.since_ms = 0;
            if (!exchange->source.is_resumed) {
                loop_want_room(exchange->connection->watch);
            }
            return NGHTTP2_ERR_DEFERRED; /* until resume() */
        }
    }
    const size_t left = answer->body_size - answer->sent;
    size = size < left ? size : left;
    memcpy(data, answer->body + answer->sent, size);
    answer->sent += size;
    exchange->taken += (int64_t)size;
    if (!answer->has_pieces && size == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)size;
}

/* A client that has its answer need not send the rest of what it asked. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct exchange *exchange = exchange_of(session, frame->hd.stream_id);
    (void)context;
    if (exchange != NULL && exchange->answer.is_early &&
        (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                         NGHTTP2_NO_ERROR);
    }
    return 0;
}

/* Cuts the answer's fields apart, and writes their names in small letters.  How many there are. */
static size_t make_fields(struct answer *answer, nghttp2_nv *fields, size_t max)
{
    size_t count = 0;
    char *at = answer->fields;
    const char *end = at + answer->fields_size;
    while (at < end && count < max) {
        char *name = at;
        for (; *at != ':'; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
        const char *value = at + 2;
        char *stop = strchr(at, '\r');
        if (strncmp(name, "upgrade:", 8) != 0) { /* belongs to connections of HTTP/1.1 */
            fields[count++] = field(name, (size_t)(at - name), value, (size_t)(stop - value));
        }
        at = stop + 2;
    }
    return count;
}

static void answer(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct http2 *http2 = connection->session;
    struct answer *answer = &exchange->answer;
    const nghttp2_data_provider provider = {.source = {.ptr = exchange},
                                            .read_callback = give_body};
    nghttp2_nv fields[FIELDS_MAX];
    char status[16], length[24];
    const int status_size = snprintf(status, sizeof(status), "%d", answer->status);
    const int length_size = snprintf(length, sizeof(length), "%zu", answer->length);
    size_t count = 0;
    fields[count++] = field(":status", 7, status, (size_t)status_size);
    count += make_fields(answer, fields + count, FIELDS_MAX - 2);
    if (!answer->has_pieces) {
        fields[count++] = field("content-length", 14, length, (size_t)length_size);
    }
    if (nghttp2_submit_response(http2->session, exchange->stream, fields, count,
                                answer->has_pieces || answer->body_size > 0 ? &provider : NULL) !=
        0) {
        connection_give_up(connection);
        return;
    }
    flush(connection);
}

static void resume(struct exchange *exchange)
{
    struct http2 *http2 = exchange->connection->session;
    exchange->waits = false;
    IGNORE(nghttp2_session_resume_data(http2->session, exchange->stream) != 0); /* it goes on */
    loop_want_room(exchange->connection->watch);
}

/* One frame more, or what is left of the last.  0 when there is none; -1 when it is not taken. */
static int send_frame(struct connection *connection)
{
    struct http2 *http2 = connection->session;
    if (http2->out_size == 0) {
        const ssize_t size = nghttp2_session_mem_send(http2->session, &http2->out);
        if (size < 0) {
            connection_give_up(connection);
            return -1;
        }
        http2->out_size = (size_t)size;
    }
    if (http2->out_size == 0) {
        return 0;
    }
    struct iovec part = {(void *)(uintptr_t)http2->out, http2->out_size}; /* only read from */
    const ssize_t sent = connection_write(connection, &part, 1);
    if (sent < 0) {
        connection_give_up(connection);
        return -1;
    }
    http2->out += sent;
    http2->out_size -= (size_t)sent;
    return http2->out_size == 0 ? 1 : -1;
}

static void flush(struct connection *connection)
{
    struct http2 *http2 = connection->session;
    int result = 1;
    if (http2->is_reading) {
        return; /* received() does it */
    }
    for (unsigned i = 0; i < FRAMES_IN_TURN && result > 0; i++) {
        result = send_frame(connection);
    }
    if (connection->is_ending) {
        return;
    }
    if (result == 0 && connection_is_sent(connection)) {
        connection->uptake.since_ms = 0;
    } else if (connection_is_slow(connection, 0)) { /* of answers each has a pace of its own */
        log_line("a client takes its answers too slowly");
        connection_give_up(connection);
        return;
    }
    connection_set_reading(connection,
                           nghttp2_session_get_outbound_queue_size(http2->session) <= QUEUE_MAX);
    if (result != 0) {
        loop_want_room(connection->watch);
    } else if (!nghttp2_session_want_read(http2->session) &&
               !nghttp2_session_want_write(http2->session)) {
        connection_end(connection);
    }
}

/* What takes its turns goes on. */
static void resume_turns(struct connection *connection)
{
    struct exchange *exchange = NULL;
    TAILQ_FOREACH(exchange, &connection->exchanges, link)
    {
        if (exchange->waits && !exchange->source.is_resumed) {
            resume(exchange);
        }
    }
}

static void has_room(struct connection *connection)
{
    remove_closed(connection);
    handle_some(connection);
    resume_turns(connection);
    flush(connection);
    remove_closed(connection);
    set_idle(connection);
}

/* ---- time ---- */

/* Whether it has taken too long, which is answered, or ends it. */
static void check_time(struct http2 *http2, struct exchange *exchange, uint64_t now)
{
    const uint64_t age = now - exchange->began_ms;
    if (exchange->is_over) {
        return;
    }
    if ((exchange->state == EXCHANGE_HEAD && age > EXCHANGE_HEAD_MS) ||
        (exchange->state == EXCHANGE_BODY && age > EXCHANGE_BODY_MS)) {
        exchange_late(exchange);
    } else if (exchange->state == EXCHANGE_ANSWERING && !exchange->waits &&
               uptake_is_slow(&exchange->uptake, exchange->taken, exchange_held(exchange))) {
        const struct log_about about = exchange_about(exchange);
        log_write(LOG_LEVEL_INFO, &about, "a client takes its answer too slowly");
        IGNORE(nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, exchange->stream,
                                         NGHTTP2_CANCEL) != 0);
    }
}

static void timeout(struct connection *connection)
{
    struct http2 *http2 = connection->session;
    const uint64_t now = clock_monotonic_ms();
    struct exchange *exchange = NULL;
    if (TAILQ_EMPTY(&connection->exchanges)) {
        IGNORE(nghttp2_session_terminate_session(http2->session, NGHTTP2_NO_ERROR) != 0);
        flush(connection);
        if (!connection->is_ending) {
            connection_give_up(connection);
        }
        return;
    }
    http2->is_reading = true; /* nothing is sent, and so no stream closed, while they are counted */
    TAILQ_FOREACH(exchange, &connection->exchanges, link)
    {
        check_time(http2, exchange, now);
    }
    http2->is_reading = false;
    loop_set_timer(connection->watch, TICK_MS);
    has_room(connection);
}

/* ---- beginning and end ---- */

static nghttp2_session *open_session(struct connection *connection)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_MAX},
    };
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_session *session = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return NULL;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    const bool failed = nghttp2_session_server_new(&session, callbacks, connection) != 0 ||
                        nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings,
                                                ARRAY_LENGTH(settings)) != 0 ||
                        nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                                              CONNECTION_WINDOW) != 0;
    nghttp2_session_callbacks_del(callbacks);
    if (failed) {
        nghttp2_session_del(session); /* NULL is fine */
        return NULL;
    }
    return session;
}

int http2_begin(struct connection *connection)
{
    struct http2 *http2 = calloc(1, sizeof(*http2));
    if (http2 == NULL) {
        return -1;
    }
    http2->session = open_session(connection);
    if (http2->session == NULL) {
        free(http2);
        return -1;
    }
    connection_speak(connection, &http2_protocol, http2);
    return 0;
}

/* So that the client knows that nothing of what it has asked was done and not answered.  It may
 * have gone, or take nothing more. */
static void say_goodbye(struct connection *connection)
{
    struct http2 *http2 = connection->session;
    int result = nghttp2_session_terminate_session(http2->session, NGHTTP2_NO_ERROR) == 0;
    for (unsigned i = 0; i < FRAMES_IN_TURN && result > 0; i++) {
        result = send_frame(connection);
    }
}

static void done(struct connection *connection)
{
    struct http2 *http2 = connection->session;
    if (connection->is_idle && !connection->is_ending) {
        say_goodbye(connection);
    }
    nghttp2_session_del(http2->session);
    free(http2);
}

static const struct protocol http2_protocol = {
    .received = received,
    .has_room = has_room,
    .timeout = timeout,
    .answer = answer,
    .resume = resume,
    .done = done,
};
