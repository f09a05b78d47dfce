/* See http1.h.  Divisions: what comes in; what goes out; time. */
#include "front/serve/http/http1.h"

#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/http.h"
#include "front/serve/http/http2.h"
#include "front/serve/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Sent in one turn at most: others want their turn too. */
#define SEND_MAX ((size_t)256 << 10)
/* Of an answer's head, what is not a field that it was given. */
#define OWN_HEAD_MAX 256U

/* What there is of one exchange; between two of them there is none. */
struct http1 {
    struct http_chunks chunks;
    char *rest; /* came behind the request that is worked on */
    size_t rest_size;
    char head[OWN_HEAD_MAX + ANSWER_FIELDS_MAX]; /* of the answer */
    size_t head_size;
    size_t head_sent;
    bool closes;     /* nothing may follow on this connection */
    bool is_chunked; /* the pieces of the answer say how long they are */
    bool has_begun;  /* and there was one */
    bool is_over;    /* the end of the answer is on its way */
};

static void received(struct connection *connection, const char *data, size_t size);

static void done(struct connection *connection)
{
    struct http1 *http1 = connection->session;
    if (http1 != NULL) {
        free(http1->rest);
        free(http1);
        connection->session = NULL;
    }
}

/* ---- what comes in ---- */

/* Of a request of which nothing was read. */
static void refuse(struct connection *connection)
{
    char answer[] = CONNECTION_REFUSAL;
    struct iovec part = {answer, sizeof(answer) - 1};
    if (connection_write(connection, &part, 1) == (ssize_t)sizeof(answer) - 1) {
        connection_end(connection);
    } else {
        connection_give_up(connection); /* it does not take the answers before either */
    }
}

static struct exchange *begin_exchange(struct connection *connection)
{
    connection->session = calloc(1, sizeof(struct http1));
    struct exchange *exchange = connection->session != NULL ? exchange_create(connection) : NULL;
    if (exchange == NULL) {
        refuse(connection);
        return NULL;
    }
    connection_set_idle(connection, false);
    loop_set_timer(connection->watch, EXCHANGE_HEAD_MS);
    return exchange;
}

static void handle(struct exchange *exchange)
{
    loop_set_timer(exchange->connection->watch, 0);
    exchange_handle(exchange);
}

/* Whether the head is what HTTP/2 begins with. */
static bool is_preface(const struct exchange *exchange)
{
    return !exchange->connection->is_used && exchange->in_size == strlen(HTTP2_PREFACE) &&
           memcmp(exchange->in, HTTP2_PREFACE, exchange->in_size) == 0;
}

static void begin_http2(struct exchange *exchange)
{
    static const char preface[] = HTTP2_PREFACE;
    struct connection *connection = exchange->connection;
    exchange_destroy(exchange);
    if (http2_begin(connection) < 0) {
        connection_give_up(connection);
        return;
    }
    connection->protocol->received(connection, preface, sizeof(preface) - 1);
}

static void take_whole_head(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct http_refusal refusal;
    struct cella_error error;
    if (is_preface(exchange)) {
        begin_http2(exchange);
        return;
    }
    connection->is_used = true;
    if (http_parse_head(exchange->in, exchange->in_size, &exchange->head, &refusal) < 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "%s", refusal.text);
        answer_problem(exchange, refusal.status, &error);
        return;
    }
    if (exchange_check(exchange) < 0) {
        return; /* it is answered */
    }
    if (!exchange->head.has_body) {
        handle(exchange);
        return;
    }
    loop_set_timer(connection->watch, EXCHANGE_BODY_MS);
    if (exchange->head.expects_continue) {
        char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        struct iovec part = {go_on, sizeof(go_on) - 1};
        if (connection_write(connection, &part, 1) != (ssize_t)sizeof(go_on) - 1) {
            connection_give_up(connection); /* it does not take the answers before either */
        }
    }
}

/* Returns how many bytes belong to the head. */
static size_t take_head(struct exchange *exchange, const char *data, size_t size)
{
    struct cella_error error;
    const size_t before = exchange->in_size;
    const size_t part = size < HTTP_HEAD_MAX - before ? size : HTTP_HEAD_MAX - before;
    memcpy(exchange->in + before, data, part);
    const size_t head_size = http_head_size(exchange->in, before + part, before);
    const size_t in_size = head_size > 0 ? head_size : before + part;
    exchange->in_size = in_size;
    if (head_size > 0) {
        take_whole_head(exchange);
    } else if (in_size == HTTP_HEAD_MAX) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the request's head has more than %u bytes",
                         HTTP_HEAD_MAX);
        answer_problem(exchange, 431, &error);
    }
    return in_size - before;
}

/* Returns how many bytes belong to the body. */
static size_t take_body(struct exchange *exchange, const char *data, size_t size)
{
    struct http1 *http1 = exchange->connection->session;
    const struct http_head *head = &exchange->head;
    const size_t remaining = (size_t)head->content_length - exchange->body_size;
    struct http_refusal refusal = {413, NULL};
    struct cella_error error;
    if (!head->is_chunked && size > remaining) {
        size = remaining;
    }
    char *end = exchange_reserve(exchange, size);
    if (end == NULL) {
        return size;
    }
    memcpy(end, data, size);
    size_t taken = size;
    size_t kept = size;
    if (head->is_chunked &&
        http_take_chunks(&http1->chunks, end, size, &taken, &kept, &refusal) < 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "%s", refusal.text);
        answer_problem(exchange, refusal.status, &error);
        return size;
    }
    if (exchange_extend(exchange, kept) < 0) {
        return size;
    }
    if (head->is_chunked ? http1->chunks.state == CHUNK_DONE : size == remaining) {
        handle(exchange);
    }
    return taken;
}

/* The next request waits for its turn, and with it whatever else would come. */
static void keep_rest(struct connection *connection, const char *data, size_t size)
{
    struct http1 *http1 = connection->session;
    if (http1->closes) {
        return; /* nobody will look at it */
    }
    char *rest = realloc(http1->rest, http1->rest_size + size);
    if (rest == NULL) {
        connection_give_up(connection);
        return;
    }
    memcpy(rest + http1->rest_size, data, size);
    http1->rest = rest;
    http1->rest_size += size;
    connection_set_reading(connection, false);
}

static void received(struct connection *connection, const char *data, size_t size)
{
    while (size > 0 && !connection->is_ending) {
        if (connection->protocol != &http1_protocol) {
            connection->protocol->received(connection, data, size); /* another was asked for */
            return;
        }
        struct exchange *exchange = TAILQ_FIRST(&connection->exchanges);
        if (exchange == NULL) {
            exchange = begin_exchange(connection);
        }
        if (exchange == NULL) {
            return;
        }
        size_t taken = size;
        if (exchange->state == EXCHANGE_HEAD) {
            taken = take_head(exchange, data, size);
        } else if (exchange->state == EXCHANGE_BODY) {
            taken = take_body(exchange, data, size);
        } else {
            keep_rest(connection, data, size);
        }
        data += taken;
        size -= taken;
    }
}

/* ---- what goes out ---- */

static void add_head(struct http1 *http1, const char *text, size_t size)
{
    memcpy(http1->head + http1->head_size, text, size); /* there is room: see OWN_HEAD_MAX */
    http1->head_size += size;
}

/* A connection goes on when the client wants it to, all of the request was read, and the answer
 * says by itself where it ends. */
static void make_head(struct exchange *exchange)
{
    struct http1 *http1 = exchange->connection->session;
    const struct http_head *head = &exchange->head;
    const struct answer *answer = &exchange->answer;
    char own[OWN_HEAD_MAX];
    int size = snprintf(own, sizeof(own), "HTTP/1.1 %d %s\r\n", answer->status,
                        http_reason(answer->status));
    http1->is_chunked = answer->has_pieces && answer->is_framed && !head->is_1_0;
    http1->closes = (answer->has_pieces && !http1->is_chunked) || answer->is_early ||
                    !head->keep_alive || exchange->server->state == SERVER_DRAINING;
    http1->head_size = 0;
    http1->head_sent = 0;
    add_head(http1, own, (size_t)size);
    add_head(http1, answer->fields, answer->fields_size);
    size = 0;
    if (http1->is_chunked) {
        size = snprintf(own, sizeof(own), "Transfer-Encoding: chunked\r\n");
    } else if (!answer->has_pieces) {
        size = snprintf(own, sizeof(own), "Content-Length: %zu\r\n", answer->length);
    }
    add_head(http1, own, (size_t)size);
    const char *last = http1->closes  ? "Connection: close\r\n\r\n"
                       : head->is_1_0 ? "Connection: keep-alive\r\n\r\n"
                                      : "\r\n";
    add_head(http1, last, strlen(last));
}

/* What stands before a piece, and behind the last one: size 0.  The head has been sent. */
static void make_frame(struct exchange *exchange, size_t size, bool is_last)
{
    struct http1 *http1 = exchange->connection->session;
    http1->head_sent = 0;
    http1->head_size = 0;
    if (http1->is_chunked && (size > 0 || is_last)) {
        const int frame = snprintf(http1->head, sizeof(http1->head), "%s%zx\r\n%s",
                                   http1->has_begun ? "\r\n" : "", size, is_last ? "\r\n" : "");
        http1->head_size = (size_t)frame;
        http1->has_begun = true;
        http1->is_over = is_last;
    }
}

/* Returns -1 when the client takes nothing more. */
static int send_some(struct exchange *exchange)
{
    struct http1 *http1 = exchange->connection->session;
    struct answer *answer = &exchange->answer;
    const size_t head_left = http1->head_size - http1->head_sent;
    const size_t body_left = answer->body_size - answer->sent;
    struct iovec parts[] = {
        {http1->head + http1->head_sent, head_left},
        {answer->body != NULL ? answer->body + answer->sent : NULL,
         body_left < SEND_MAX ? body_left : SEND_MAX},
    };
    const ssize_t sent = connection_write(exchange->connection, parts, 2);
    if (sent < 0) {
        return -1;
    }
    const size_t of_head = (size_t)sent < head_left ? (size_t)sent : head_left;
    http1->head_sent += of_head;
    answer->sent += (size_t)sent - of_head;
    return 0;
}

static bool is_slow(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    if (!connection_is_slow(connection, exchange_held(exchange))) {
        return false;
    }
    const struct log_about about = exchange_about(exchange);
    log_write(LOG_LEVEL_INFO, &about, "a client takes its answer too slowly");
    return true;
}

static void resume(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    if (connection->uptake.since_ms == 0) {
        loop_set_timer(connection->watch, CONNECTION_SEND_MS);
    }
    if (is_slow(exchange)) {
        connection_give_up(connection);
        return;
    }
    loop_want_room(connection->watch);
}

static void answer(struct exchange *exchange)
{
    make_head(exchange);
    (void)send_some(exchange); /* what it takes at once; has_room() sees to the rest */
    resume(exchange);
}

static void finish(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct server *server = connection->server;
    struct http1 *http1 = connection->session;
    const bool closes = http1->closes;
    char *rest = http1->rest;
    const size_t rest_size = http1->rest_size;
    http1->rest = NULL;
    connection->uptake.since_ms = 0;
    exchange_destroy(exchange);
    done(connection);
    if (closes) {
        connection_end(connection);
    } else {
        connection_set_idle(connection, true);
        loop_set_timer(connection->watch, CONNECTION_IDLE_MS);
        connection_set_reading(connection, true);
        received(connection, rest, rest_size);
    }
    free(rest);
    server_settle(server);
}

static void has_room(struct connection *connection)
{
    struct exchange *exchange = TAILQ_FIRST(&connection->exchanges);
    if (exchange == NULL || exchange->state != EXCHANGE_ANSWERING) {
        return;
    }
    struct http1 *http1 = connection->session;
    if (send_some(exchange) < 0) {
        connection_destroy(connection);
        return;
    }
    const struct answer *answered = &exchange->answer;
    if (http1->head_sent < http1->head_size || answered->sent < answered->body_size ||
        !connection_is_sent(connection)) {
        resume(exchange);
        return;
    }
    const bool has_more = answered->has_pieces && !http1->is_over && exchange_next_piece(exchange);
    if (answered->is_broken) {
        connection_destroy(connection); /* without the end that it would have had */
    } else if (!has_more && (http1->is_over || !http1->is_chunked)) {
        finish(exchange);
    } else if (has_more && answered->body_size == 0) {
        connection->uptake.since_ms = 0;
        loop_set_timer(connection->watch, 0); /* the program writes nothing: its limits hold */
        if (!exchange->source.is_resumed) {
            loop_want_room(connection->watch);
        }
    } else {
        make_frame(exchange, answered->body_size, !has_more);
        resume(exchange);
    }
}

/* ---- time ---- */

static void timeout(struct connection *connection)
{
    struct exchange *exchange = TAILQ_FIRST(&connection->exchanges);
    if (exchange != NULL && exchange->state < EXCHANGE_WORKING) {
        exchange_late(exchange);
        return;
    }
    if (exchange != NULL && exchange->state == EXCHANGE_ANSWERING && !is_slow(exchange)) {
        loop_set_timer(connection->watch, CONNECTION_SEND_MS);
        return;
    }
    connection_destroy(connection);
}

const struct protocol http1_protocol = {
    .received = received,
    .has_room = has_room,
    .timeout = timeout,
    .answer = answer,
    .resume = resume,
    .done = done,
};
