/*
 * Answers: heads and bodies of what is sent.  Each of these is the whole answer to the request that
 * the exchange has, and written to the log.
 */
#ifndef SERVE_ANSWER_H
#define SERVE_ANSWER_H

#include <cella/cella.h>
#include <stddef.h>

struct exchange;
struct source;

/* Takes `json`, which is malloc'ed. */
void answer_json(struct exchange *exchange, int status, char *json, size_t size);
/* Likewise, as text of that media type. */
void answer_text(struct exchange *exchange, const char *type, char *text, size_t size);
/* 202, of a run or a batch of ours that is on its way: {"id"}. */
void answer_under_way(struct exchange *exchange, const char *id);
/* Likewise that it was begun, and at which path its result will be. */
void answer_accepted(struct exchange *exchange, const char *path, const char *id);
/* As application/problem+json.  Status 0: an error of Cella's, with the status of its kind. */
void answer_problem(struct exchange *exchange, int status, const struct cella_error *error);
/* Of a request without a key that is good: `challenge` says which is asked for (RFC 6750). */
void answer_unauthorized(struct exchange *exchange, const struct cella_error *error,
                         const char *challenge);
/* Of a method that the path does not have: `allow` are those that it has. */
void answer_not_allowed(struct exchange *exchange, const char *allow);
/* The head of an answer of that media type, which comes in pieces from there. */
void answer_pieces(struct exchange *exchange, const char *type, const struct source *source);
/* The head of server-sent events, which its source gives then. */
void answer_events(struct exchange *exchange);
/* That the connection is a WebSocket from now on; `accept` as in RFC 6455. */
void answer_websocket(struct exchange *exchange, const char *accept);
/* That only a WebSocket has anything here. */
void answer_no_websocket(struct exchange *exchange, const struct cella_error *error);

#endif
