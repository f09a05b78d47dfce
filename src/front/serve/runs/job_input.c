/* The part of job.h that gives standard input to a run on its way. */
#include "front/serve/fail.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/websocket.h"
#include "front/serve/runs/job_inside.h"

#include <stdlib.h>
#include <string.h>

/* What there is room for; and no more is read from its client before there is room for all. */
static void feed(struct job *job)
{
    struct cella_error err;
    size_t taken = 0;
    if (job->input_size > 0 &&
        cella_run_write_stdin(job->run, job->input, job->input_size, &taken, &err) < 0) {
        taken = job->input_size; /* the program has no use for it */
    }
    job->input_size -= taken;
    if (job->input_size > 0) {
        memmove(job->input, job->input + taken, job->input_size);
        websocket_set_reading(job->exchange, false);
        return;
    }
    free(job->input);
    job->input = NULL;
    if (job->closes_stdin) {
        cella_run_close_stdin(job->run);
    }
    websocket_set_reading(job->exchange, true);
}

int job_write(struct job *job, const void *data, size_t size, struct cella_error *err)
{
    if (job->closes_stdin) {
        return serve_fail(err, CELLA_ERROR_CALLER, "standard input comes behind its end");
    }
    char *input = realloc(job->input, job->input_size + size + 1); /* bounded: see feed() */
    if (input == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    memcpy(input + job->input_size, data, size);
    job->input = input;
    job->input_size += size;
    feed(job);
    return 0;
}

void job_close_stdin(struct job *job)
{
    job->closes_stdin = true;
    feed(job);
}

int job_signal(struct job *job, int signal, struct cella_error *err)
{
    return cella_run_signal(job->run, signal, err);
}

int job_resize(struct job *job, unsigned rows, unsigned columns, struct cella_error *err)
{
    return cella_run_resize(job->run, rows, columns, err);
}

void job_feed_all(struct server *server)
{
    struct job *job = NULL;
    TAILQ_FOREACH(job, &server->jobs, link)
    {
        if (job->input_size > 0) {
            feed(job);
        }
    }
}
