/*
 * The routes of runs: to begin, list, fetch and cancel them.
 */
#ifndef SERVE_RUNS_H
#define SERVE_RUNS_H

#define RUNS "/v1/runs"

struct exchange;

/* With the head alone. */
int runs_check_post(struct exchange *exchange) __attribute__((warn_unused_result));
void runs_post(struct exchange *exchange);
void runs_list(struct exchange *exchange);
void runs_export(struct exchange *exchange);
void runs_count(struct exchange *exchange);
void runs_get(struct exchange *exchange);
void runs_delete(struct exchange *exchange);

#endif
