/*
 * One exchange: a request that has come in, and the answer to it, whatever brings them.
 *
 *   HEAD ──▶ BODY ──▶ WORKING ──▶ ANSWERING
 *
 * Its connection feeds it (http1.c, http2.c) and takes its answer from it; handlers of routes
 * answer it and know nothing of the connection but who is at its other end.
 */
#ifndef SERVE_EXCHANGE_H
#define SERVE_EXCHANGE_H

#include "front/serve/http/connection.h"
#include "front/serve/http/http.h"
#include "front/serve/http/trace.h"
#include "front/serve/log.h"
#include "front/serve/server.h"
#include "front/serve/tenants/tenants.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define EXCHANGE_BODY_MAX ((size_t)64 << 20) /* of one request */
#define EXCHANGE_HEAD_MS  10000U             /* from a head's first byte to its last */
#define EXCHANGE_BODY_MS  30000U             /* likewise of a body */

#define EXCHANGE_RUN_ID_MAX 32U

enum exchange_state {
    EXCHANGE_HEAD,      /* has a part of the head */
    EXCHANGE_BODY,      /* has the head, and a part of the body */
    EXCHANGE_WORKING,   /* has all of it */
    EXCHANGE_ANSWERING, /* sends; with events that come later, again and again */
};

#define ANSWER_FIELDS_MAX 1024U

/* What the answer comes from that is not there yet: a run, a search. */
struct source {
    /* The next piece of an answer that is made bit by bit, malloc'ed: 1; empty, when there is none
     * yet; 0 when there is none any more; -1 when that was not all. */
    int (*next)(void *context, char **ret_text, size_t *ret_size);
    /* Nobody waits for it any more. */
    void (*leave)(void *context);
    void *context; /* NULL: there is none */
    /* It calls exchange_resume() when there is another piece; else it is asked again in the next
     * turn. */
    bool is_resumed;
    size_t held; /* bytes that wait with it to be taken, besides its pieces */
};

struct answer {
    int status;
    char fields[ANSWER_FIELDS_MAX]; /* header fields, each "Name: value\r\n" */
    size_t fields_size;
    size_t length; /* of the whole body, which HEAD is told and not given */
    char *body;    /* malloc'ed: all of it, or the piece that is sent now */
    size_t body_size;
    size_t sent;      /* of the body */
    bool is_framed;   /* its end must be told from the connection's */
    bool is_broken;   /* there would be more, which cannot be had: no end of it may be told */
    bool has_pieces;  /* there may be more of it, which nobody has counted: exchange_next_piece() */
    bool is_early;    /* given before all of the request was read */
    bool is_overfull; /* there was no room for one of the fields */
};

struct exchange {
    TAILQ_ENTRY(exchange) link; /* in its connection */
    struct connection *connection;
    struct server *server;
    enum exchange_state state;
    int32_t stream; /* HTTP/2: the number of its own */
    bool is_over;   /* and it has ended: nobody waits for the answer any more, or all has it */
    char *in;       /* HTTP_HEAD_MAX bytes for the head */
    size_t in_size;
    struct http_head head; /* texts lie in `in` */
    struct trace trace;
    struct tenant *tenant;  /* whose key it has brought; NULL: nobody's */
    unsigned retry_seconds; /* when it is refused for now: how long; 0: SERVER_RETRY_SECONDS */
    char run_id[EXCHANGE_RUN_ID_MAX]; /* of the run that it has begun, or "" */
    const struct api_route *route; /* what there is at its path; NULL: not yet known, or nothing */
    const struct contract *contract; /* in whose form it is answered; NULL: in Cella's own */
    char *body;
    size_t body_size;
    size_t body_capacity;          /* counted in the server's body_bytes */
    char *idempotency_key;         /* that it has, or NULL */
    struct exchange_list *put_off; /* those that are handled again later; NULL: it is not */
    TAILQ_ENTRY(exchange) waiting; /* among them */
    struct source source;
    struct answer answer;
    uint64_t began_ms;
    struct uptake uptake; /* HTTP/2: at which the client takes the answer */
    int64_t taken;        /* HTTP/2: bytes of it */
    bool waits;           /* HTTP/2: there is nothing more to take until resume() */
    bool is_whole;        /* HTTP/2: all of the request is there, and it is handled soon */
};

/* ---- for what brings them ---- */

/* The connection has it from then on.  NULL: there are too many, or memory is short. */
struct exchange *exchange_create(struct connection *connection) __attribute__((warn_unused_result));
/* Ends its run, if somebody was to wait for it.  NULL is fine. */
void exchange_destroy(struct exchange *exchange);
/* The head is there: whether this client may ask, and whether there is what it asks for.  -1 when
 * not, which is answered. */
int exchange_check(struct exchange *exchange) __attribute__((warn_unused_result));
/* Room behind the body for `size` bytes more.  NULL when there is none, which is answered. */
char *exchange_reserve(struct exchange *exchange, size_t size) __attribute__((warn_unused_result));
/* Likewise, without an answer. */
char *exchange_grow(struct exchange *exchange, size_t size, struct cella_error *err)
    __attribute__((warn_unused_result));
void exchange_drop_body(struct exchange *exchange);
/* So many of them are body.  -1 when it is too large then, which is answered. */
int exchange_extend(struct exchange *exchange, size_t size) __attribute__((warn_unused_result));
/* All of the request is there: its route answers it, now or later, or puts it off. */
void exchange_handle(struct exchange *exchange);
/* It was not there in time: answers that. */
void exchange_late(struct exchange *exchange);
/* The next piece of an answer that is made bit by bit, in the place of the one before; it may be
 * empty, when there is none yet: see source.is_resumed.  False: that was all. */
bool exchange_next_piece(struct exchange *exchange);
/* What is held as long as the client has not taken all of the answer, but for small change. */
static inline size_t exchange_held(const struct exchange *exchange)
{
    return exchange->answer.body_size + exchange->source.held;
}

/* ---- for those who answer ---- */

/* Whose runs it asks for.  Without keys there are two: who comes by the Unix socket, which is for
 * the server's own user, and everybody else. */
static inline const char *exchange_tenant(const struct exchange *exchange)
{
    return exchange->tenant != NULL         ? exchange->tenant->key.name
           : exchange->connection->is_local ? KEY_NAME_RESERVED
                                            : "";
}
/* Whose runs it may see; NULL: everybody's. */
static inline const char *exchange_sees(const struct exchange *exchange)
{
    return exchange->connection->is_local ? NULL : exchange_tenant(exchange);
}

/* Of what there is for all it may have so much: who comes by TCP leaves some to the Unix socket. */
static inline size_t exchange_most(const struct exchange *exchange, size_t max, size_t local)
{
    return exchange->connection->is_local ? max : max - local;
}

/* What a line of the log is about that tells of it. */
static inline struct log_about exchange_about(const struct exchange *exchange)
{
    return (struct log_about){.request_id = exchange->trace.request_id,
                              .trace_id = exchange->trace.id,
                              .run = exchange->run_id,
                              .tenant = exchange_tenant(exchange)};
}

/* So many bytes wait to be taken by a tenant, perhaps NULL, in the place of those before. */
void exchange_count_waiting(struct server *server, struct tenant *tenant, size_t before,
                            size_t now);
/* Takes the body of the answer, or of its next piece, in the place of the one before.  NULL: none.
 * It is counted among what waits to be taken, as long as it is held. */
void exchange_set_body(struct exchange *exchange, char *body, size_t size);
/* Nobody waits for its source any more.  One that is gone by itself calls exchange_forget(). */
void exchange_leave(struct exchange *exchange);
static inline void exchange_forget(struct exchange *exchange)
{
    exchange->source = (struct source){.context = NULL};
}
/* Sends what `answer` holds. */
void exchange_send(struct exchange *exchange);
/* Its source has more to send, and is asked for it when it is time. */
void exchange_resume(struct exchange *exchange);

#endif
