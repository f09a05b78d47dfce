/*
 * Answers: heads and bodies of what is sent.  Each of these is the whole answer to the request that
 * the connection has, and written to the log.
 */
#ifndef SERVE_ANSWER_H
#define SERVE_ANSWER_H

#include <cella/cella.h>
#include <stddef.h>

struct connection;

/* Takes `json`, which is malloc'ed. */
void answer_json(struct connection *connection, int status, char *json, size_t size);
/* Likewise, as text of that media type. */
void answer_text(struct connection *connection, const char *type, char *text, size_t size);
/* That a run was begun, and at which path its result will be: {"id"}. */
void answer_accepted(struct connection *connection, const char *path, const char *id);
/* As application/problem+json.  Status 0: an error of Cella's, with the status of its kind. */
void answer_problem(struct connection *connection, int status, const struct cella_error *error);
/* Of a method that the path does not have: `allow` are those that it has. */
void answer_not_allowed(struct connection *connection, const char *allow);
/* The head of server-sent events, which its job gives then. */
void answer_events(struct connection *connection);

#endif
