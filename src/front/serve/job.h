/*
 * A job: the run that a connection's request asked for, and what of it is told on the way.
 *
 * Its output is not held twice: events are made from what the run keeps, as the client takes them.
 */
#ifndef SERVE_JOB_H
#define SERVE_JOB_H

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>

struct connection;
struct server;
struct job;

/* Starts a run for the connection, which is answered when it has ended; or, when it `streams`, asks
 * for one event after the other by job_next(). */
int job_start(struct connection *connection, const char *json, size_t size, bool streams,
              struct cella_error *err) __attribute__((warn_unused_result));
/* Ends its run, if it still goes on.  NULL is fine. */
void job_destroy(struct job *job);

/* The next event, malloc'ed, or none while nothing happens: *ret_size 0.  Returns 0, without one,
 * when all were given, and the job is gone; else 1. */
int job_next(struct job *job, char **ret_text, size_t *ret_size);

/* Asks the run of that id to end.  -1 when there is none. */
int job_cancel(struct server *server, const char *id) __attribute__((warn_unused_result));

#endif
