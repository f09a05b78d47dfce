/*
 * One connection: a request comes in, is answered, and the next one may come.
 *
 *   HEAD ──▶ BODY ──▶ WORKING ──▶ ANSWERING ──▶ HEAD, or LINGER and the end
 *
 * Each state has its time.  A client that closes its side while its run is WORKING, or while
 * events are sent, has gone, and its run ends.
 */
#ifndef SERVE_CONNECTION_H
#define SERVE_CONNECTION_H

#include "front/serve/http.h"
#include "front/serve/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define CONNECTION_BODY_MAX ((size_t)64 << 20) /* of one request */
#define CONNECTION_IDLE_MS  60000U             /* between two requests, and before the first */
#define CONNECTION_HEAD_MS  10000U             /* from a head's first byte to its last */
#define CONNECTION_BODY_MS  30000U             /* likewise of a body */
#define CONNECTION_SEND_MS  30000U             /* without the client taking anything */

enum connection_state {
    CONNECTION_HEAD,      /* waits for a request, or has a part of its head */
    CONNECTION_BODY,      /* has the head, and a part of the body */
    CONNECTION_WORKING,   /* has all of it */
    CONNECTION_ANSWERING, /* sends; with events that come later, again and again */
    CONNECTION_LINGER,    /* has sent all and says so: what the client still sends is dropped */
};

#define ANSWER_HEAD_MAX 1024U

/* What is sent: the head, then the body. */
struct answer {
    char head[ANSWER_HEAD_MAX];
    size_t head_size;
    char *body; /* malloc'ed */
    size_t body_size;
    size_t sent; /* of both together */
    bool closes; /* nothing may follow on this connection */
};

struct connection {
    TAILQ_ENTRY(connection) link;
    struct server *server;
    struct loop_watch *watch;
    enum connection_state state;
    bool is_idle;     /* on that list of the server's */
    bool is_local;    /* by the Unix socket */
    bool is_stranger; /* there, and neither our user nor root */
    char *in;         /* HTTP_HEAD_MAX bytes for the head; NULL while none comes */
    size_t in_size;
    struct http_head head;     /* texts lie in `in` */
    const struct route *route; /* what there is at its path; NULL: not yet known */
    struct http_chunks chunks;
    char *body;
    size_t body_size;
    size_t body_capacity; /* counted in the server's body_bytes */
    char *rest;           /* came behind the request that is worked on */
    size_t rest_size;
    struct job *job; /* what the request is about; NULL: no run */
    struct answer answer;
    uint64_t began_ms;
};

/* Takes the socket. */
void connection_create(struct server *server, int fd, bool is_local);
/* Ends it, and its run, at once. */
void connection_destroy(struct connection *connection);
/* Of a socket for which there is no place: it is told so and closed. */
void connection_refuse(int fd);
/* Whether something is still to be sent to somebody. */
bool connection_any_answering(const struct server *server);

/* ---- for those who answer ---- */

/* Whose runs it asks for.  Without keys there are two: who comes by the Unix socket, which is for
 * the server's own user, and everybody else. */
static inline const char *connection_tenant(const struct connection *connection)
{
    return connection->is_local ? "local" : "";
}
/* Whose runs it may see; NULL: everybody's. */
static inline const char *connection_sees(const struct connection *connection)
{
    return connection->is_local ? NULL : connection_tenant(connection);
}

/* Takes the body of the answer, or of its next piece, in the place of the one before.  NULL: none.
 * It is counted among what waits to be taken, as long as it is held. */
void connection_set_body(struct connection *connection, char *body, size_t size);
/* Sends what `answer` holds. */
void connection_send(struct connection *connection);
/* There is more to send for its job, which asks when it is time: see job_next(). */
void connection_resume(struct connection *connection);

#endif
