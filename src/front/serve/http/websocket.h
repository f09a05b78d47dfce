/*
 * WebSocket on a connection (RFC 6455), by wslay: what an exchange becomes when it asks for it.
 *
 * The exchange goes on for as long as the connection does.  Each piece of its answer is sent as one
 * text message, the next one when that is taken; after the last the connection is closed.  A client
 * from which nothing comes, and be it the answer to a ping, has gone.
 */
#ifndef SERVE_WEBSOCKET_H
#define SERVE_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange;

/* The first message, and each until a run has begun, is a request; those that follow are input. */
#define WEBSOCKET_FIRST_MAX ((size_t)64 << 20)
#define WEBSOCKET_NEXT_MAX  ((size_t)1 << 20)
/* How often a silent client is pinged, and how long it then has. */
#define WEBSOCKET_PING_MS 20000U

/* Why it is closed (RFC 6455, 7.4). */
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_POLICY_VIOLATION = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_INTERNAL_ERROR = 1011,
    WEBSOCKET_TRY_AGAIN = 1013,
};

struct websocket_events {
    /* A whole message; text is valid UTF-8. */
    void (*message)(struct exchange *exchange, bool is_text, const char *data, size_t size);
    /* Nothing was begun in time by a message, nor closed; NULL: it is closed as 1008. */
    void (*silent)(struct exchange *exchange);
    unsigned silent_ms; /* after this time */
};

/* Accepts what the exchange asks for; else answers with what is wrong.  `events` must live on. */
void websocket_accept(struct exchange *exchange, const struct websocket_events *events);
/* Sends one more text message, malloc'ed and taken, behind those that wait, besides the pieces of
 * the answer: for what is short and rare. */
void websocket_send(struct exchange *exchange, char *text, size_t size);
/* Closes it, when all that waits is sent; `code` may be one of a contract's own. */
void websocket_close(struct exchange *exchange, unsigned code, const char *reason);
/* Whether messages are taken.  Some may still come when not. */
void websocket_set_reading(struct exchange *exchange, bool reading);

#endif
