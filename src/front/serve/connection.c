/*
 * See connection.h.  Divisions: beginning and end; what comes in; what goes out; time.
 */
#include "front/serve/connection.h"

#include "front/serve/answer.h"
#include "front/serve/fail.h"
#include "front/serve/job.h"
#include "front/serve/listen.h"
#include "front/serve/log.h"
#include "front/serve/routes.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Sent in one turn at most: others want their turn too. */
#define SEND_MAX ((size_t)256 << 10)
/* How long a client that has its answer may take to see that this was the last one.  Closed at
 * once, with something unread, the kernel would take the answer back. */
#define LINGER_MS 2000U
/* A connection that can do nothing more is closed by its timer: whoever finds out works with it. */
#define AT_ONCE_MS 1U
/* First room for a body. */
#define BODY_FIRST 4096U

static void on_received(void *context, const char *data, size_t size);
static int send_some(struct connection *connection);
static void on_has_room(void *context);
static void on_gone(void *context);
static void on_timeout(void *context);

static const struct loop_events events = {
    .received = on_received, .has_room = on_has_room, .gone = on_gone, .timeout = on_timeout};

/* ---- beginning and end ---- */

static void set_idle(struct connection *connection, bool idle)
{
    struct server *server = connection->server;
    if (idle != connection->is_idle) {
        struct connection_list *from = idle ? &server->busy : &server->idle;
        struct connection_list *to = idle ? &server->idle : &server->busy;
        TAILQ_REMOVE(from, connection, link);
        TAILQ_INSERT_TAIL(to, connection, link);
        connection->is_idle = idle;
    }
}

void connection_create(struct server *server, int fd, bool is_local)
{
    const int on = 1;
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        (void)close(fd);
        return;
    }
    connection->server = server;
    connection->is_local = is_local;
    connection->is_stranger = is_local && !listen_peer_is_ours(fd);
    if (!is_local) {
        /* Answers are sent whole; without it the end of each would wait for an acknowledgement. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    connection->watch = loop_add_socket(server->loop, fd, &events, connection);
    if (connection->watch == NULL) {
        free(connection);
        return;
    }
    server->connection_count++;
    server->tcp_count += !is_local;
    connection->is_idle = true;
    TAILQ_INSERT_TAIL(&server->idle, connection, link);
    loop_set_timer(connection->watch, CONNECTION_IDLE_MS);
}

static void free_body(struct connection *connection)
{
    connection->server->body_bytes -= connection->body_capacity;
    free(connection->body);
    connection->body = NULL;
    connection->body_size = 0;
    connection->body_capacity = 0;
}

void connection_set_body(struct connection *connection, char *body, size_t size)
{
    struct answer *answer = &connection->answer;
    assert(connection->server->answer_bytes >= answer->body_size);
    connection->server->answer_bytes -= answer->body_size;
    free(answer->body);
    answer->body = body;
    answer->body_size = size;
    connection->server->answer_bytes += size;
}

static void free_answer(struct connection *connection)
{
    connection_set_body(connection, NULL, 0);
    connection->answer = (struct answer){.body = NULL};
}

void connection_destroy(struct connection *connection)
{
    struct server *server = connection->server;
    job_destroy(connection->job);
    TAILQ_REMOVE(connection->is_idle ? &server->idle : &server->busy, connection, link);
    server->connection_count--;
    server->tcp_count -= !connection->is_local;
    free_body(connection);
    free_answer(connection);
    free(connection->in);
    free(connection->rest);
    loop_close(connection->watch);
    free(connection);
    server_settle(server);
}

void connection_refuse(int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                                 "Content-Length: 0\r\nConnection: close\r\n\r\n";
    (void)send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL); /* or not */
    (void)close(fd);
}

static void give_up(struct connection *connection)
{
    connection->state = CONNECTION_LINGER;
    loop_set_timer(connection->watch, AT_ONCE_MS);
}

static void on_gone(void *context)
{
    connection_destroy(context);
}

bool connection_any_answering(const struct server *server)
{
    for (const struct connection *connection = TAILQ_FIRST(&server->busy); connection != NULL;
         connection = TAILQ_NEXT(connection, link)) {
        if (connection->state == CONNECTION_ANSWERING) {
            return true;
        }
    }
    return false;
}

/* ---- what comes in ---- */

static void begin_request(struct connection *connection, size_t head_size)
{
    struct http_refusal refusal;
    struct cella_error error;
    if (http_parse_head(connection->in, head_size, &connection->head, &refusal) < 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "%s", refusal.text);
        answer_problem(connection, refusal.status, &error);
        return;
    }
    connection->state = connection->head.has_body ? CONNECTION_BODY : CONNECTION_WORKING;
    if (routes_check(connection) < 0) {
        return; /* it is answered */
    }
    if (!connection->head.has_body) {
        loop_set_timer(connection->watch, 0);
        routes_handle(connection);
        return;
    }
    loop_set_timer(connection->watch, CONNECTION_BODY_MS);
    if (connection->head.expects_continue) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        /* Nothing else is on its way: there is room. */
        (void)send(loop_socket(connection->watch), go_on, sizeof(go_on) - 1,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/* Returns how many bytes belong to the head. */
static size_t take_head(struct connection *connection, const char *data, size_t size)
{
    struct cella_error error;
    if (connection->in == NULL) {
        connection->in = malloc(HTTP_HEAD_MAX);
        if (connection->in == NULL) {
            give_up(connection);
            return size;
        }
        connection->began_ms = server_now_ms();
        set_idle(connection, false);
        loop_set_timer(connection->watch, CONNECTION_HEAD_MS);
    }
    size_t before = connection->in_size;
    size_t part = size < HTTP_HEAD_MAX - before ? size : HTTP_HEAD_MAX - before;
    memcpy(connection->in + before, data, part);
    size_t head_size = http_head_size(connection->in, before + part, before);
    connection->in_size = head_size > 0 ? head_size : before + part;
    if (head_size > 0) {
        begin_request(connection, head_size);
    } else if (connection->in_size == HTTP_HEAD_MAX) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the request's head has more than %u bytes",
                         HTTP_HEAD_MAX);
        answer_problem(connection, 431, &error);
    }
    return connection->in_size - before;
}

/* Room for `size` more bytes of the body. */
static int make_room(struct connection *connection, size_t size)
{
    struct server *server = connection->server;
    struct cella_error error;
    size_t wanted = connection->body_capacity > 0 ? connection->body_capacity : BODY_FIRST;
    while (wanted < connection->body_size + size) { /* both are small beside a size_t */
        wanted *= 2;
    }
    size_t more = wanted - connection->body_capacity;
    if (more > SERVER_BODIES_MAX - server->body_bytes) {
        (void)serve_fail(&error, CELLA_ERROR_BUSY, "too many large requests at one time");
        answer_problem(connection, 0, &error);
        return -1;
    }
    char *body = more == 0 ? connection->body : realloc(connection->body, wanted);
    if (body == NULL) {
        give_up(connection);
        return -1;
    }
    connection->body = body;
    connection->body_capacity = wanted;
    server->body_bytes += more;
    return 0;
}

/* Adds what came to the body.  -1 when it cannot be taken, which is answered. */
static int add_to_body(struct connection *connection, const char *data, size_t size,
                       size_t *ret_taken)
{
    struct http_refusal refusal = {413, NULL};
    struct cella_error error;
    size_t kept = size;
    *ret_taken = size;
    if (make_room(connection, size) < 0) {
        return -1;
    }
    char *end = connection->body + connection->body_size;
    memcpy(end, data, size);
    if (connection->head.is_chunked &&
        http_take_chunks(&connection->chunks, end, size, ret_taken, &kept, &refusal) < 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "%s", refusal.text);
        answer_problem(connection, refusal.status, &error);
        return -1;
    }
    connection->body_size += kept;
    if (connection->body_size > CONNECTION_BODY_MAX) {
        routes_refuse_size(connection);
        return -1;
    }
    return 0;
}

/* Returns how many bytes belong to the body. */
static size_t take_body(struct connection *connection, const char *data, size_t size)
{
    const struct http_head *head = &connection->head;
    size_t remaining = (size_t)head->content_length - connection->body_size;
    size_t taken;
    if (!head->is_chunked && size > remaining) {
        size = remaining;
    }
    if (add_to_body(connection, data, size, &taken) < 0) {
        return size;
    }
    bool complete = head->is_chunked ? connection->chunks.state == CHUNK_DONE : size == remaining;
    if (complete) {
        connection->state = CONNECTION_WORKING;
        loop_set_timer(connection->watch, 0);
        routes_handle(connection);
        free_body(connection);
    }
    return taken;
}

/* The next request waits for its turn, and with it whatever else would come. */
static void keep_rest(struct connection *connection, const char *data, size_t size)
{
    char *rest = realloc(connection->rest, connection->rest_size + size);
    if (rest == NULL) {
        give_up(connection);
        return;
    }
    memcpy(rest + connection->rest_size, data, size);
    connection->rest = rest;
    connection->rest_size += size;
    loop_set_reading(connection->watch, false);
}

static void on_received(void *context, const char *data, size_t size)
{
    struct connection *connection = context;
    while (size > 0) {
        size_t taken = size;
        switch (connection->state) {
        case CONNECTION_HEAD:
            taken = take_head(connection, data, size);
            break;
        case CONNECTION_BODY:
            taken = take_body(connection, data, size);
            break;
        case CONNECTION_WORKING:
        case CONNECTION_ANSWERING:
            if (!connection->answer.closes) { /* else nobody will look at it */
                keep_rest(connection, data, size);
            }
            break;
        case CONNECTION_LINGER:
            break;
        }
        data += taken;
        size -= taken;
    }
}

/* ---- what goes out ---- */

void connection_send(struct connection *connection)
{
    connection->state = CONNECTION_ANSWERING;
    connection->answer.sent = 0;
    (void)send_some(connection); /* what it takes at once; on_has_room() sees to the rest */
    connection_resume(connection);
}

void connection_resume(struct connection *connection)
{
    if (connection->state == CONNECTION_ANSWERING) {
        loop_set_timer(connection->watch, CONNECTION_SEND_MS);
        loop_want_room(connection->watch);
    }
}

static void linger(struct connection *connection)
{
    connection->state = CONNECTION_LINGER;
    (void)shutdown(loop_socket(connection->watch), SHUT_WR); /* fails when the client has gone */
    loop_set_reading(connection->watch, true);
    loop_set_timer(connection->watch, LINGER_MS);
}

static void begin_next(struct connection *connection)
{
    char *rest = connection->rest;
    size_t rest_size = connection->rest_size;
    connection->state = CONNECTION_HEAD;
    connection->chunks = (struct http_chunks){.state = CHUNK_SIZE};
    connection->rest = NULL;
    connection->rest_size = 0;
    set_idle(connection, true);
    loop_set_timer(connection->watch, CONNECTION_IDLE_MS);
    loop_set_reading(connection->watch, true);
    on_received(connection, rest, rest_size);
    free(rest);
}

static void finish(struct connection *connection)
{
    bool closes = connection->answer.closes;
    free_answer(connection);
    free_body(connection);
    free(connection->in);
    connection->in = NULL;
    connection->in_size = 0;
    connection->head = (struct http_head){.method = ""};
    if (closes) {
        linger(connection);
    } else {
        begin_next(connection);
    }
    server_settle(connection->server);
}

/* Returns -1 when the client takes nothing more. */
static int send_some(struct connection *connection)
{
    struct answer *answer = &connection->answer;
    struct iovec parts[2];
    size_t head_sent = answer->sent < answer->head_size ? answer->sent : answer->head_size;
    size_t body_sent = answer->sent - head_sent;
    size_t body_size = answer->body_size - body_sent;
    parts[0] = (struct iovec){answer->head + head_sent, answer->head_size - head_sent};
    parts[1] = (struct iovec){answer->body != NULL ? answer->body + body_sent : NULL,
                              body_size < SEND_MAX ? body_size : SEND_MAX};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(loop_socket(connection->watch), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        answer->sent += (size_t)sent;
    }
    return sent >= 0 || errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* The next piece of what is sent bit by bit.  0 when that was all. */
static int take_piece(struct connection *connection)
{
    char *piece = NULL;
    size_t size = 0;
    connection_set_body(connection, NULL, 0);
    connection->answer.head_size = 0;
    connection->answer.sent = 0;
    const int more = connection->job != NULL && job_next(connection->job, &piece, &size);
    connection_set_body(connection, piece, size);
    return more;
}

static void on_has_room(void *context)
{
    struct connection *connection = context;
    const struct answer *answer = &connection->answer;
    if (connection->state != CONNECTION_ANSWERING) {
        return;
    }
    if (send_some(connection) < 0) {
        connection_destroy(connection);
        return;
    }
    if (answer->sent == answer->head_size + answer->body_size && take_piece(connection) == 0) {
        finish(connection);
    } else if (answer->head_size + answer->body_size > 0) {
        connection_resume(connection);
    } else {
        loop_set_timer(connection->watch, 0); /* the program writes nothing: its limits hold */
    }
}

/* ---- time ---- */

static void answer_late(struct connection *connection, const char *what, unsigned ms)
{
    struct cella_error error;
    (void)serve_fail(&error, CELLA_ERROR_CALLER, "the request's %s was not there after %u s", what,
                     ms / 1000);
    answer_problem(connection, 408, &error);
}

static void on_timeout(void *context)
{
    struct connection *connection = context;
    if (connection->state == CONNECTION_HEAD && connection->in != NULL) {
        answer_late(connection, "head", CONNECTION_HEAD_MS);
    } else if (connection->state == CONNECTION_BODY) {
        answer_late(connection, "body", CONNECTION_BODY_MS);
    } else {
        if (connection->state == CONNECTION_ANSWERING) {
            log_line("a client takes no more of its answer");
        }
        connection_destroy(connection);
    }
}
