/*
 * One connection: a socket, who is at its other end, and the protocol that is spoken on it.
 *
 * Each protocol has its times.  A client that closes its side while its run goes on, or while
 * events are sent, has gone, and its run ends.
 */
#ifndef SERVE_CONNECTION_H
#define SERVE_CONNECTION_H

#include "front/serve/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#define CONNECTION_IDLE_MS 60000U /* between two requests, and before the first */
#define CONNECTION_TLS_MS  10000U /* until both have agreed on how to speak TLS */
/* Of what waits for it a client takes in each such time */
#define CONNECTION_SEND_MS 30000U
/* so many bytes, which is less than the slowest line brings that is in use, */
#define CONNECTION_SEND_MIN 8192U
/* and that part of its answer, which is gone in four hours then: for days a few clients could hold
 * all that may wait (SERVER_ANSWERS_MAX).  It cannot be much more, for TCP may take 64 KiB at once,
 * and then nothing for long. */
#define CONNECTION_SEND_PARTS 480U

/* To whom there is no room for. */
#define CONNECTION_REFUSAL                                                                         \
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"                                       \
    "Content-Length: 0\r\nConnection: close\r\n\r\n"

struct connection;
struct exchange;
TAILQ_HEAD(exchange_list, exchange);

/* What is spoken.  Nothing of a connection is called but by the loop, or by a handler of one of its
 * exchanges; only has_room() and timeout() may destroy it. */
struct protocol {
    void (*received)(struct connection *connection, const char *data, size_t size);
    void (*has_room)(struct connection *connection); /* as was asked for by loop_want_room() */
    void (*timeout)(struct connection *connection);
    void (*answer)(struct exchange *exchange);   /* its answer is there */
    void (*resume)(struct exchange *exchange);   /* and there is more of it */
    void (*done)(struct connection *connection); /* frees `session` */
};

/* How fast a client takes what waits for it. */
struct uptake {
    uint64_t since_ms; /* 0: nothing waits */
    int64_t taken;     /* of all bytes, before then */
};

struct connection {
    TAILQ_ENTRY(connection) link;
    struct server *server;
    struct loop_watch *watch;
    struct tls *tls; /* NULL: bytes are sent as they are */
    const struct protocol *protocol;
    void *session;                  /* the protocol's own */
    struct exchange_list exchanges; /* in HTTP/1.1 at most one */
    unsigned exchange_count;
    uint64_t sent;        /* bytes that the socket has taken */
    struct uptake uptake; /* at which the client takes them from there */
    bool is_idle;         /* on that list of the server's */
    bool is_local;        /* by the Unix socket */
    bool is_stranger;     /* there, and neither our user nor root */
    bool is_used;         /* by a request of HTTP/1.1: no other protocol can begin */
    bool is_paused;       /* the protocol wants nothing more now */
    bool is_choked;       /* nor does TLS, whose own words the client does not take */
    bool is_ending;       /* what the client still sends is dropped */
    bool is_shut;         /* and nothing is sent */
};

/* Takes the socket. */
void connection_create(struct server *server, int fd, bool is_local);
/* Ends it, and its runs, at once. */
void connection_destroy(struct connection *connection);
/* Of a socket for which there is no place: it is told so and closed. */
void connection_refuse(int fd);
/* Whether something is still to be sent to somebody. */
bool connection_any_answering(const struct server *server);

/* Who is at its other end: "127.0.0.1:4711", "[::1]:4711", or "user 1000" of the Unix socket. */
void connection_client(const struct connection *connection, char ret_client[RECORD_CLIENT_SIZE]);

/* ---- for protocols ---- */

/* Speaks another protocol from now on, with that session. */
void connection_speak(struct connection *connection, const struct protocol *protocol,
                      void *session);
/* Whether it waits for a request: then it may be closed for another. */
void connection_set_idle(struct connection *connection, bool idle);
/* Whether more is received.  Some may still come when not. */
void connection_set_reading(struct connection *connection, bool reading);
/* Sends what is taken now.  How many bytes those were; -1 when nothing more will be. */
ssize_t connection_write(struct connection *connection, struct iovec *parts, size_t count)
    __attribute__((warn_unused_result));
/* Whether the socket has taken all of it. */
bool connection_is_sent(const struct connection *connection);
/* To be asked while something waits to be sent, of an answer of that size: whether the client takes
 * it too slowly to be waited for.  When nothing does, uptake.since_ms is to be 0. */
bool connection_is_slow(struct connection *connection, size_t answer_size);
/* Likewise of a part of what is sent, of which the client has taken so many bytes. */
bool uptake_is_slow(struct uptake *uptake, int64_t taken, size_t answer_size);
/* All was written: says so, and closes when the client does, or soon. */
void connection_end(struct connection *connection);
/* It can do nothing more.  Closed in the next turn: whoever finds out works with it. */
void connection_give_up(struct connection *connection);

#endif
