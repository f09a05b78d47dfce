/* See websocket.h.  Divisions: how it begins; what comes in; what goes out; time. */
#include "front/serve/http/websocket.h"

#include "base/attributes.h"
#include "base/base64.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/connection.h"
#include "front/serve/http/exchange.h"
#include "front/serve/log.h"

#include <sha1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

/* A longer message goes in fragments, so that wslay holds no copy of all of it. */
#define WHOLE_MAX ((size_t)64 << 10)
/* Of the reason for which it is closed, as a control frame has room for it. */
#define REASON_MAX 123U
/* Characters of the key: 16 bytes as base64. */
#define KEY_SIZE 24U

struct websocket {
    wslay_event_context_ptr wslay;
    struct exchange *exchange;
    const struct websocket_events *events;
    const char *in; /* what came and is not yet read */
    size_t in_size;
    bool in_message; /* the frame that comes is part of one, not a control frame */
    bool is_text;    /* and of text */
    bool has_begun;  /* a message had a run begin, or was refused */
    bool is_paused;  /* by the exchange */
    bool is_silent;  /* nothing has come since the last ping, nor was anything taken: */
    bool is_blocked; /* what waits to be sent is not taken now */
    unsigned closes; /* with that code, once what waits is sent; 0: it goes on */
    char reason[REASON_MAX + 1];
};

static const struct protocol websocket_protocol;

/* ---- what wslay asks for ---- */

static ssize_t give_bytes(wslay_event_context_ptr wslay, uint8_t *data, size_t size, int flags,
                          void *context)
{
    struct websocket *websocket = context;
    (void)flags;
    if (websocket->in_size == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size = size < websocket->in_size ? size : websocket->in_size;
    memcpy(data, websocket->in, size);
    websocket->in += size;
    websocket->in_size -= size;
    return (ssize_t)size;
}

static ssize_t take_bytes(wslay_event_context_ptr wslay, const uint8_t *data, size_t size,
                          int flags, void *context)
{
    struct websocket *websocket = context;
    (void)flags;
    struct iovec part = {(void *)(uintptr_t)data, size}; /* only read from */
    const ssize_t sent = connection_write(websocket->exchange->connection, &part, 1);
    if (sent > 0) {
        websocket->is_silent = websocket->is_silent && !websocket->is_blocked;
        websocket->is_blocked = false;
        return sent;
    }
    websocket->is_blocked = true;
    wslay_event_set_error(wslay, sent == 0 ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void on_frame(wslay_event_context_ptr wslay,
                     const struct wslay_event_on_frame_recv_start_arg *frame, void *context)
{
    struct websocket *websocket = context;
    (void)wslay;
    websocket->in_message = !wslay_is_ctrl_frame(frame->opcode);
    if (frame->opcode == WSLAY_TEXT_FRAME || frame->opcode == WSLAY_BINARY_FRAME) {
        websocket->is_text = frame->opcode == WSLAY_TEXT_FRAME;
    }
}

static void on_bytes(wslay_event_context_ptr wslay,
                     const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *context)
{
    struct websocket *websocket = context;
    struct exchange *exchange = websocket->exchange;
    struct cella_error error;
    if (!websocket->in_message || !wslay_event_get_read_enabled(wslay)) {
        return;
    }
    const size_t max = websocket->has_begun ? WEBSOCKET_NEXT_MAX : WEBSOCKET_FIRST_MAX;
    if (chunk->data_length > max - exchange->body_size) {
        websocket_close(exchange, WEBSOCKET_TOO_BIG, "the message is too large");
        return;
    }
    char *end = exchange_grow(exchange, chunk->data_length, &error);
    if (end == NULL) {
        websocket_close(exchange, WEBSOCKET_TRY_AGAIN, error.text);
        return;
    }
    memcpy(end, chunk->data, chunk->data_length);
    exchange->body_size += chunk->data_length;
}

static void on_message(wslay_event_context_ptr wslay,
                       const struct wslay_event_on_msg_recv_arg *message, void *context)
{
    struct websocket *websocket = context;
    struct exchange *exchange = websocket->exchange;
    if (wslay_is_ctrl_frame(message->opcode) || !wslay_event_get_read_enabled(wslay)) {
        return;
    }
    websocket->events->message(exchange, websocket->is_text,
                               exchange->body != NULL ? exchange->body : "", exchange->body_size);
    exchange_drop_body(exchange);
    if (exchange->source.context != NULL || websocket->closes != 0) {
        websocket->has_begun = true;
        exchange->state = EXCHANGE_ANSWERING;
    }
}

/* ---- how it begins ---- */

/* Whether it is a key as a client makes one; what it says does not matter. */
static bool is_key(const char *key)
{
    char bytes[KEY_SIZE];
    size_t size;
    return key != NULL && strlen(key) == KEY_SIZE &&
           base64_decode(key, KEY_SIZE, bytes, &size) == 0 && size == 16;
}

static int check(struct exchange *exchange)
{
    const struct http_head *head = &exchange->head;
    const char *version = http_header(head, "Sec-WebSocket-Version");
    struct cella_error error;
    if (head->is_1_0 || strcmp(head->method, "GET") != 0 || exchange->stream != 0 ||
        !http_header_has(head, "Connection", "Upgrade") ||
        !http_header_has(head, "Upgrade", "websocket")) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "%s is for WebSocket", head->path);
        (void)serve_hint(&error, "ask by HTTP/1.1 with Connection: Upgrade, Upgrade: websocket");
        answer_no_websocket(exchange, &error);
        return -1;
    }
    if (version == NULL || strcmp(version, "13") != 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the version of WebSocket is not 13");
        answer_no_websocket(exchange, &error);
        return -1;
    }
    if (head->has_body || !is_key(http_header(head, "Sec-WebSocket-Key"))) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER,
                         head->has_body ? "a WebSocket does not begin with a body"
                                        : "Sec-WebSocket-Key is not 16 bytes in base64");
        answer_problem(exchange, 400, &error);
        return -1;
    }
    return 0;
}

/* RFC 6455, 4.2.2. */
static void make_accept(const char *key, char ret_text[SHA1_DIGEST_LENGTH * 2])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[SHA1_DIGEST_LENGTH];
    SHA1_CTX sha1;
    SHA1Init(&sha1);
    SHA1Update(&sha1, (const uint8_t *)key, KEY_SIZE);
    SHA1Update(&sha1, (const uint8_t *)guid, sizeof(guid) - 1);
    SHA1Final(digest, &sha1);
    base64_encode(digest, sizeof(digest), ret_text);
    ret_text[base64_encoded_size(sizeof(digest))] = '\0';
}

static struct websocket *create(struct exchange *exchange, const struct websocket_events *events)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = give_bytes,
        .send_callback = take_bytes,
        .on_frame_recv_start_callback = on_frame,
        .on_frame_recv_chunk_callback = on_bytes,
        .on_msg_recv_callback = on_message,
    };
    struct websocket *websocket = calloc(1, sizeof(*websocket));
    if (websocket != NULL) {
        *websocket = (struct websocket){.exchange = exchange, .events = events};
        if (wslay_event_context_server_init(&websocket->wslay, &callbacks, websocket) == 0) {
            wslay_event_config_set_no_buffering(websocket->wslay, 1);
            return websocket;
        }
        free(websocket);
    }
    return NULL;
}

void websocket_accept(struct exchange *exchange, const struct websocket_events *events)
{
    char accept[SHA1_DIGEST_LENGTH * 2];
    struct connection *connection = exchange->connection;
    struct cella_error error;
    if (check(exchange) < 0) {
        return;
    }
    struct websocket *websocket = create(exchange, events);
    if (websocket == NULL) {
        (void)serve_fail(&error, CELLA_ERROR_BUSY, "memory is short");
        answer_problem(exchange, 0, &error);
        return;
    }
    make_accept(http_header(&exchange->head, "Sec-WebSocket-Key"), accept);
    connection_speak(connection, &websocket_protocol, websocket);
    loop_set_timer(connection->watch, events->silent_ms);
    answer_websocket(exchange, accept);
    exchange->state = EXCHANGE_WORKING; /* a server that ends does not wait for its first message */
}

static void done(struct connection *connection)
{
    struct websocket *websocket = connection->session;
    wslay_event_context_free(websocket->wslay);
    free(websocket);
}

/* The one answer there is: that the protocol is another now. */
static void answer(struct exchange *exchange)
{
    char line[] = "HTTP/1.1 101 Switching Protocols\r\n";
    char end[] = "\r\n";
    struct answer *answer = &exchange->answer;
    struct iovec parts[] = {
        {line, sizeof(line) - 1}, {answer->fields, answer->fields_size}, {end, sizeof(end) - 1}};
    const size_t size = parts[0].iov_len + parts[1].iov_len + parts[2].iov_len;
    if (answer->status != 101 ||
        connection_write(exchange->connection, parts, 3) != (ssize_t)size) {
        connection_give_up(exchange->connection); /* it does not take the answers before either */
    }
}

/* ---- what goes out ---- */

/* For a message that is sent in fragments, from the answer's body. */
static ssize_t give_piece(wslay_event_context_ptr wslay, uint8_t *data, size_t size,
                          const union wslay_event_msg_source *source, int *ret_end, void *context)
{
    struct answer *answer = &((struct websocket *)context)->exchange->answer;
    const size_t left = answer->body_size - answer->sent;
    (void)wslay;
    (void)source;
    size = size < left ? size : left;
    memcpy(data, answer->body + answer->sent, size);
    answer->sent += size;
    *ret_end = size == left;
    return (ssize_t)size;
}

static int queue_piece(struct websocket *websocket)
{
    const struct answer *answer = &websocket->exchange->answer;
    const struct wslay_event_msg whole = {WSLAY_TEXT_FRAME, (const uint8_t *)answer->body,
                                          answer->body_size};
    const struct wslay_event_fragmented_msg parts = {WSLAY_TEXT_FRAME, {.fd = -1}, give_piece};
    return answer->body_size > WHOLE_MAX
               ? wslay_event_queue_fragmented_msg(websocket->wslay, &parts)
               : wslay_event_queue_msg(websocket->wslay, &whole);
}

/* The next piece of the answer, when the last one is taken.  False: there is none now. */
static bool next_piece(struct websocket *websocket)
{
    struct exchange *exchange = websocket->exchange;
    if (exchange->source.context == NULL || websocket->closes != 0 ||
        wslay_event_get_queued_msg_count(websocket->wslay) > 0) {
        return false;
    }
    if (!exchange_next_piece(exchange)) {
        websocket_close(exchange, WEBSOCKET_NORMAL, "");
        return false;
    }
    if (exchange->answer.body_size > 0 && queue_piece(websocket) != 0) {
        connection_give_up(exchange->connection); /* no memory: nothing of it is left out */
        return false;
    }
    return exchange->answer.body_size > 0;
}

/* wslay sends control frames before all others: so the last one only when there are no others. */
static bool next_close(struct websocket *websocket)
{
    if (websocket->closes == 0 || wslay_event_get_queued_msg_count(websocket->wslay) > 0 ||
        wslay_event_get_close_sent(websocket->wslay)) {
        return false;
    }
    return wslay_event_queue_close(websocket->wslay, (uint16_t)websocket->closes,
                                   (const uint8_t *)websocket->reason,
                                   strlen(websocket->reason)) == 0;
}

/* Sends what the socket takes, and makes more while it does.  May find that all is over. */
static void flush(struct websocket *websocket)
{
    struct connection *connection = websocket->exchange->connection;
    do {
        if (wslay_event_send(websocket->wslay) != 0) {
            connection_give_up(connection);
            return;
        }
    } while (next_piece(websocket) || next_close(websocket));
    const bool waits = wslay_event_want_write(websocket->wslay);
    if (!waits && connection_is_sent(connection)) {
        connection->uptake.since_ms = 0;
    } else if (connection_is_slow(connection, websocket->exchange->answer.body_size)) {
        log_line("a client of a WebSocket takes what it is sent too slowly");
        connection_give_up(connection);
        return;
    }
    if (waits) {
        loop_want_room(connection->watch);
    } else if (!wslay_event_want_read(websocket->wslay) ||
               wslay_event_get_close_sent(websocket->wslay)) {
        connection_end(connection);
        return;
    }
    /* What answers to a client that takes nothing would pile up. */
    connection_set_reading(connection, !waits && !websocket->is_paused);
}

static void has_room(struct connection *connection)
{
    flush(connection->session);
}

static void resume(struct exchange *exchange)
{
    loop_want_room(exchange->connection->watch);
}

void websocket_send(struct exchange *exchange, char *text, size_t size)
{
    struct websocket *websocket = exchange->connection->session;
    const struct wslay_event_msg message = {WSLAY_TEXT_FRAME, (const uint8_t *)text, size};
    if (text == NULL || wslay_event_queue_msg(websocket->wslay, &message) != 0) {
        connection_give_up(exchange->connection);
    }
    free(text);
    resume(exchange);
}

void websocket_close(struct exchange *exchange, unsigned code, const char *reason)
{
    struct websocket *websocket = exchange->connection->session;
    if (websocket->closes == 0) {
        websocket->closes = code;
        (void)snprintf(websocket->reason, sizeof(websocket->reason), "%s", reason);
    }
    wslay_event_shutdown_read(websocket->wslay);
    resume(exchange);
}

void websocket_set_reading(struct exchange *exchange, bool reading)
{
    struct websocket *websocket = exchange->connection->session;
    /* What it has said meanwhile is read first. */
    websocket->is_silent = websocket->is_silent && !(reading && websocket->is_paused);
    websocket->is_paused = !reading;
    resume(exchange); /* flush() sees to it */
}

/* ---- what comes in ---- */

static void received(struct connection *connection, const char *data, size_t size)
{
    struct websocket *websocket = connection->session;
    websocket->is_silent = false;
    websocket->in = data;
    websocket->in_size = size;
    if (wslay_event_recv(websocket->wslay) != 0) {
        connection_give_up(connection);
        return;
    }
    if (websocket->has_begun && !connection->is_ending) {
        loop_set_timer(connection->watch, WEBSOCKET_PING_MS);
    }
    flush(websocket);
}

/* ---- time ---- */

static void timeout(struct connection *connection)
{
    struct websocket *websocket = connection->session;
    const struct wslay_event_msg ping = {WSLAY_PING, NULL, 0};
    if (!websocket->has_begun && websocket->events->silent != NULL) {
        websocket->events->silent(websocket->exchange);
    } else if (!websocket->has_begun) {
        websocket_close(websocket->exchange, WEBSOCKET_POLICY_VIOLATION, "no request has come");
    } else if (websocket->is_silent && (websocket->is_blocked || !websocket->is_paused)) {
        log_line("a client of a WebSocket is silent");
        connection_destroy(connection);
        return;
    } else if (wslay_event_queue_msg(websocket->wslay, &ping) != 0) {
        connection_give_up(connection);
        return;
    }
    websocket->has_begun = true;
    websocket->is_silent = true;
    loop_set_timer(connection->watch, WEBSOCKET_PING_MS);
    flush(websocket);
}

static const struct protocol websocket_protocol = {
    .received = received,
    .has_room = has_room,
    .timeout = timeout,
    .answer = answer,
    .resume = resume,
    .done = done,
};
