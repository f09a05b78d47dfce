/*
 * The routes of runs: to begin, list, fetch and cancel them.
 */
#ifndef SERVE_RUNS_H
#define SERVE_RUNS_H

#define RUNS "/v1/runs"

struct connection;

/* With the head alone. */
int runs_check_post(struct connection *connection) __attribute__((warn_unused_result));
void runs_post(struct connection *connection);
void runs_list(struct connection *connection);
void runs_count(struct connection *connection);
void runs_get(struct connection *connection);
void runs_delete(struct connection *connection);

#endif
